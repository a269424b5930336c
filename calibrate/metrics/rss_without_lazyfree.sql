-- name: rss_without_lazyfree
-- summary: resident pages without those that were freed lazily
-- meaning: Like rss, but without pages that were given back with MADV_FREE and are still there: the kernel takes them
--   without swapping as soon as it needs some.
-- wrong when: As for rss, except for the lazily freed pages.
-- source: smaps_rollup (or smaps), Rss - LazyFree (since Linux 4.12)
SELECT snapshot_id, sum(rss_kib - lazyfree_kib) AS y_kib
FROM process
GROUP BY snapshot_id
