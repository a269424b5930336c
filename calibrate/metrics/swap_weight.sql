-- name: swap_weight
-- summary: what can only be swapped, and the page cache that reclaim passes over: twice the active list, and what is used
-- meaning: Follows how a kernel looks for memory (mm/vmscan.c, Linux 5.10 to 6.12 without MGLRU). It takes file pages alone for as
--   long as the inactive file list is longer than the active one (inactive_is_low(), whose ratio is 1 below 1 GiB of page cache),
--   which leaves about as much inactive as active; pages that are used meanwhile become active. So page cache of twice the
--   active list and of what is used stays when swapping begins, never more than the load has. To that comes all that is
--   charged to the load and can only stay or be swapped, also pages that were freed lazily and written again, which a kernel
--   finds out when it looks.
-- wrong when: What the load holds goes up and down. Reclaim looks at a machine that has run for weeks, where pages have lost their
--   reference bits: more page cache stays (lru: aged). More than 1 GiB of page cache (ratio 3 and more), MGLRU, page cache of
--   others, swappiness near 0.
-- source: memory.stat and memory.swap.current of cgroup v2; smaps, Referenced, Pss_Anon and LazyFree
-- best for: loads at rest on a machine that has run for long (lru: aged)
WITH used AS (
	SELECT snapshot_id, sum(kib) AS kib
	FROM (SELECT snapshot_id, max(CASE kind WHEN 'file_data' THEN max(referenced_kib - anonymous_kib, 0)
	                              ELSE referenced_kib END) AS kib
	      FROM mapping
	      WHERE kind IN ('file_text', 'file_ro', 'file_data', 'file_shared')
	      GROUP BY snapshot_id, dev, inode, offset)
	GROUP BY snapshot_id),
stat AS (
	SELECT snapshot_id,
	       sum(CASE WHEN key IN ('memory.stat.active_anon', 'memory.stat.inactive_anon', 'memory.stat.unevictable')
	           THEN value END) / 1024.0 AS lru_kib,
	       sum(CASE key WHEN 'memory.stat.shmem' THEN value END) / 1024.0 AS shmem_kib,
	       sum(CASE WHEN key IN ('memory.stat.kernel', 'memory.swap.current') THEN value
	                WHEN key = 'memory.stat.slab_reclaimable' THEN -value END) / 1024.0 AS other_kib,
	       sum(CASE key WHEN 'memory.stat.active_file' THEN value END) / 1024.0 AS active_kib,
	       sum(CASE WHEN key IN ('memory.stat.active_file', 'memory.stat.inactive_file') THEN value END) / 1024.0 AS file_kib
	FROM guest
	WHERE key IN ('memory.stat.active_anon', 'memory.stat.inactive_anon', 'memory.stat.unevictable', 'memory.stat.shmem',
	              'memory.stat.kernel', 'memory.stat.slab_reclaimable', 'memory.swap.current',
	              'memory.stat.active_file', 'memory.stat.inactive_file')
	GROUP BY snapshot_id
	HAVING count(*) = 9),
private AS (
	SELECT snapshot_id, sum(coalesce(pss_anon_kib, 0) - coalesce(lazyfree_kib, 0)) AS kib
	FROM process
	GROUP BY snapshot_id)
SELECT stat.snapshot_id,
       lru_kib + other_kib + max(0, coalesce(private.kib, 0) - (lru_kib - shmem_kib)) +
       min(file_kib, 2 * active_kib + coalesce(used.kib, 0)) AS y_kib
FROM stat
LEFT JOIN used ON used.snapshot_id = stat.snapshot_id
LEFT JOIN private ON private.snapshot_id = stat.snapshot_id
