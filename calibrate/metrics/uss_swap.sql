-- name: uss_swap
-- summary: resident pages that only one process maps, and the share of those in swap
-- meaning: Like uss, plus the proportional share of what is in swap. The kernel does not report the private part of that.
-- wrong when: As for uss. Shared memory in swap is missing.
-- source: smaps_rollup (or smaps), Private_Clean + Private_Dirty + SwapPss
SELECT snapshot_id, sum(private_clean_kib + private_dirty_kib + swap_pss_kib) AS y_kib
FROM process
GROUP BY snapshot_id
