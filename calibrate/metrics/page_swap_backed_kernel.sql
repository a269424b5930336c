-- name: page_swap_backed_kernel
-- summary: page_swap_backed, and the kernel's memory for the processes
-- meaning: Adds what a process costs beside its pages: page tables, kernel stacks (16 KiB a thread on x86-64), and the
--   growth of the guest's slab caches that cannot shrink, since before the load.
-- wrong when: As for page_swap_backed. The slab caches grow for others, too.
-- source: pagemap, kpageflags; status, VmPTE and Threads; meminfo, SUnreclaim
WITH user AS (SELECT snapshot_id, sum(kib) AS kib
              FROM pages
              WHERE state = 'swapped' OR is_mlocked OR (backing IN ('anon', 'shmem') AND NOT is_lazyfree)
              GROUP BY snapshot_id),
     own AS (SELECT snapshot_id, sum(vm_pte_kib + 16 * threads) AS kib
             FROM process
             GROUP BY snapshot_id),
     slab AS (SELECT g.snapshot_id, g.value - b.value AS kib
              FROM guest g JOIN baseline b ON b.snapshot_id = g.snapshot_id AND b.key = g.key
              WHERE g.key = 'meminfo.SUnreclaim')
SELECT user.snapshot_id, user.kib + own.kib + slab.kib AS y_kib
FROM user JOIN own USING (snapshot_id) JOIN slab USING (snapshot_id)
