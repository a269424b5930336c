-- name: rss_swap
-- summary: resident pages and those in swap, each process by itself
-- meaning: Like rss, plus what swapping has taken away by the time of the snapshot.
-- wrong when: As for rss. A page in swap that forked processes share counts once for each.
-- source: smaps_rollup (or smaps), Rss + Swap
SELECT snapshot_id, sum(rss_kib + swap_kib) AS y_kib
FROM process
GROUP BY snapshot_id
