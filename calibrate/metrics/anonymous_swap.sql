-- name: anonymous_swap
-- summary: anonymous pages, resident or in swap
-- meaning: Like anonymous, plus the pages that swapping has taken away by the time of the snapshot.
-- wrong when: As for anonymous. A page in swap that forked processes share counts once for each. Shared memory counts
--   in swap, though it does not count while resident.
-- source: smaps_rollup (or smaps), Anonymous + Swap
SELECT snapshot_id, sum(anonymous_kib + swap_kib) AS y_kib
FROM process
GROUP BY snapshot_id
