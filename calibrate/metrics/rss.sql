-- name: rss
-- summary: resident pages, each process by itself
-- meaning: Every page that is mapped and in RAM, added up over the processes. Kernels since 2.6.24 leave out the
--   page of zeros, see rss_with_zeros.
-- wrong when: Processes share memory (a page counts once for each of them), pages are clean file pages (dropped
--   without swapping), pages were freed lazily (dropped without swapping too), or memory is not mapped at all.
-- source: smaps_rollup (or smaps), Rss
SELECT snapshot_id, sum(rss_kib) AS y_kib
FROM process
GROUP BY snapshot_id
