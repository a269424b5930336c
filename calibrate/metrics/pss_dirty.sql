-- name: pss_dirty
-- summary: proportional share of changed pages
-- meaning: Like pss, without pages that are the same as on disk.
-- wrong when: The kernel will write changed pages of a file back and drop them without swapping; memory is not mapped; some
--   of the users are outside the load. Pages that were freed lazily are clean for the kernel, and so do not count.
-- source: smaps_rollup (or smaps), Pss_Dirty (since Linux 6.0)
SELECT snapshot_id, sum(pss_dirty_kib) AS y_kib
FROM process
GROUP BY snapshot_id
