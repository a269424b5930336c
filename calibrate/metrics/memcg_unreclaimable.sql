-- name: memcg_unreclaimable
-- summary: memcg_swap_backed, and the kernel's memory for the cgroup
-- meaning: All that is charged to the load and can only stay in RAM or go to swap: adds page tables, stacks, and slab
--   that cannot shrink.
-- wrong when: Another cgroup touched pages first that the load uses as well.
-- source: memory.stat (active_anon + inactive_anon + unevictable + kernel - slab_reclaimable; kernel since Linux 5.18)
--   and memory.swap.current of cgroup v2
SELECT snapshot_id, sum(CASE key WHEN 'memory.stat.slab_reclaimable' THEN -value ELSE value END) / 1024.0 AS y_kib
FROM guest
WHERE key IN ('memory.stat.active_anon', 'memory.stat.inactive_anon', 'memory.stat.unevictable',
              'memory.stat.kernel', 'memory.stat.slab_reclaimable', 'memory.swap.current')
GROUP BY snapshot_id
HAVING count(*) = 6
