-- name: working_set
-- summary: memcg_unreclaimable, and file pages that the load used just now
-- meaning: All that is charged to the load and can only stay in RAM or go to swap, and those pages of the files it maps that
--   it goes on using. The kernel drops such pages only to read them again. A file's page counts once, however many processes
--   use it: each mapping counts as in the process that uses most of it.
-- wrong when: Nobody cleared the reference bits: then every page that was ever used counts. Pages of files that
--   the load reads and does not map do not count, however often it reads them. Processes may use different pages of one file.
-- source: memory.stat and memory.swap.current of cgroup v2, as memcg_unreclaimable; smaps, Referenced. Of a load
--   at rest swapcal clears the bits of file pages (/proc/PID/clear_refs, 3) when it is weighed, and reads them after at least
--   three seconds and two collections
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
	HAVING count(*) = 6)
SELECT held.snapshot_id, held.kib + coalesce(hot.kib, 0) AS y_kib
FROM held LEFT JOIN hot ON hot.snapshot_id = held.snapshot_id
