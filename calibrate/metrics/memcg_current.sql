-- name: memcg_current
-- summary: what the kernel charges to the load's cgroup
-- meaning: Anonymous pages, page cache that the load brought in first, and kernel memory spent on it (page tables,
--   stacks, slab), as the memory controller counts them. Pages in swap are not included.
-- wrong when: The page cache charged to the load is of no more use and would be dropped without swapping, pages were freed
--   lazily, or another cgroup touched pages first that the load uses as well.
-- source: memory.current of cgroup v2
-- best for: loads at the moment of the onset
SELECT snapshot_id, value / 1024.0 AS y_kib
FROM guest
WHERE key = 'memory.current'
