-- name: pss_swap_backed
-- summary: proportional share of what can only be swapped
-- meaning: The shares of anonymous and of shared memory, resident or in swap, without pages that were freed lazily: all
--   of pss that cannot leave RAM but for swap.
-- wrong when: Memory in a tmpfs is not mapped, shared memory is in swap, or some of the users are outside the load.
--   Kernel memory of the processes is missing.
-- source: smaps_rollup, Pss_Anon + Pss_Shmem (since Linux 5.4) + SwapPss - LazyFree
SELECT snapshot_id, sum(pss_anon_kib + pss_shmem_kib + swap_pss_kib - lazyfree_kib) AS y_kib
FROM process
GROUP BY snapshot_id
