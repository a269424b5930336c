-- name: guest_kept_delta
-- summary: how much the memory has grown that the guest can only keep or swap
-- meaning: Anonymous and shared memory (both lists), what is locked, slab that cannot shrink, page tables and kernel
--   stacks of the whole guest, and swap in use, less the same before the load. It looks at no process, and so misses none.
-- wrong when: Other programs in the guest grow or shrink meanwhile.
-- source: meminfo, now and in the baseline
SELECT snapshot_id, sum(value) AS y_kib
FROM (SELECT g.snapshot_id, CASE g.key WHEN 'meminfo.SwapFree' THEN b.value - g.value
                                       ELSE g.value - b.value END AS value
      FROM guest g JOIN baseline b ON b.snapshot_id = g.snapshot_id AND b.key = g.key
      WHERE g.key IN ('meminfo.Active(anon)', 'meminfo.Inactive(anon)', 'meminfo.Unevictable',
                      'meminfo.SUnreclaim', 'meminfo.PageTables', 'meminfo.KernelStack', 'meminfo.SwapFree'))
GROUP BY snapshot_id
HAVING count(*) = 7
