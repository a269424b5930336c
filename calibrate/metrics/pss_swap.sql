-- name: pss_swap
-- summary: proportional share of resident pages and of those in swap
-- meaning: Like pss, plus the proportional share of what is in swap.
-- wrong when: As for pss. Shared memory in swap is missing.
-- source: smaps_rollup (or smaps), Pss + SwapPss (since Linux 4.3)
SELECT snapshot_id, sum(pss_kib + swap_pss_kib) AS y_kib
FROM process
GROUP BY snapshot_id
