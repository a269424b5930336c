-- name: page_swap_backed
-- summary: physical pages and swap slots that only swap can take, each once
-- meaning: Of page_union, what the kernel can neither drop nor write back to a file (anonymous and shared memory, and
--   what is locked), and the slots that the processes hold in swap.
-- wrong when: Memory in a tmpfs is not mapped, shared memory is in swap (the page tables do not tell), or pages were freed
--   lazily and written again, which is only seen when the kernel looks. Kernel memory is missing.
-- source: pagemap, kpageflags
SELECT snapshot_id, sum(kib) AS y_kib
FROM pages
WHERE state = 'swapped' OR is_mlocked OR (backing IN ('anon', 'shmem') AND NOT is_lazyfree)
GROUP BY snapshot_id
