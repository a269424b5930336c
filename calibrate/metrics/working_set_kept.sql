-- name: working_set_kept
-- summary: working_set, and the page cache that is still there when a guest begins to swap
-- meaning: A kernel does not wait until the last page of page cache is gone before it swaps: some of the load's file pages stay
--   that are not in use. The metric counts as much of them as the zones' high watermarks: about that much was seen to be left
--   in guests of 256 to 800 MiB.
-- wrong when: No rule of the kernel leaves that much: it holds page cache and free memory together against the high
--   watermarks (mm/vmscan.c, file_is_tiny). What is left depends on swappiness, on how old pages are, and on chance: 0 to 36 MiB
--   were seen. When the load has grown until the guest swaps, the kernel has dropped what it could.
-- source: as working_set; memory.stat (active_file + inactive_file) of cgroup v2, and zoneinfo (high, of all zones)
WITH hot AS (
	SELECT snapshot_id, sum(kib) AS kib
	FROM (SELECT snapshot_id, max(CASE kind WHEN 'file_data' THEN max(referenced_kib - anonymous_kib, 0)
	                              ELSE referenced_kib END) AS kib
	      FROM mapping
	      WHERE kind IN ('file_text', 'file_ro', 'file_data', 'file_shared')
	      GROUP BY snapshot_id, dev, inode, offset)
	GROUP BY snapshot_id),
held AS (
	SELECT snapshot_id, sum(CASE key WHEN 'memory.stat.slab_reclaimable' THEN -value ELSE value END) / 1024.0 AS kib
	FROM guest
	WHERE key IN ('memory.stat.active_anon', 'memory.stat.inactive_anon', 'memory.stat.unevictable',
	              'memory.stat.kernel', 'memory.stat.slab_reclaimable', 'memory.swap.current')
	GROUP BY snapshot_id
	HAVING count(*) = 6),
file AS (
	SELECT snapshot_id, sum(value) / 1024.0 AS kib
	FROM guest
	WHERE key IN ('memory.stat.active_file', 'memory.stat.inactive_file')
	GROUP BY snapshot_id
	HAVING count(*) = 2),
kept AS (
	SELECT snapshot_id, 4 * value AS kib FROM guest WHERE key = 'zoneinfo.high')
SELECT held.snapshot_id,
       held.kib + coalesce(hot.kib, 0) + max(0, min(kept.kib, file.kib - coalesce(hot.kib, 0))) AS y_kib
FROM held
JOIN file ON file.snapshot_id = held.snapshot_id
JOIN kept ON kept.snapshot_id = held.snapshot_id
LEFT JOIN hot ON hot.snapshot_id = held.snapshot_id
