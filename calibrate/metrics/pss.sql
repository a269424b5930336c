-- name: pss
-- summary: resident pages, a shared page divided among its users
-- meaning: Like rss, but a page that N processes map counts as 1/N of a page in each, so that the sum over all of
--   them counts it once.
-- wrong when: Some of the users are outside the load (their part is missing), pages are clean file pages, pages were
--   freed lazily, memory is not mapped, or the kernel only estimates how often a page of a large folio is mapped.
-- source: smaps_rollup (or smaps), Pss (since Linux 2.6.25)
SELECT snapshot_id, sum(pss_kib) AS y_kib
FROM process
GROUP BY snapshot_id
