-- name: memcg_swap_backed
-- summary: pages of the load's cgroup that only swap can take, and those in swap
-- meaning: The cgroup's lists of anonymous pages, which hold shared memory and tmpfs too and lose what was freed
--   lazily; the list of what is locked; and what the cgroup has in swap.
-- wrong when: Another cgroup touched pages first that the load uses as well. Kernel memory is missing.
-- source: memory.stat (active_anon + inactive_anon + unevictable) and memory.swap.current of cgroup v2
SELECT snapshot_id, sum(value) / 1024.0 AS y_kib
FROM guest
WHERE key IN ('memory.stat.active_anon', 'memory.stat.inactive_anon', 'memory.stat.unevictable',
              'memory.swap.current')
GROUP BY snapshot_id
HAVING count(*) = 4
