-- name: private_dirty
-- summary: changed pages that only one process maps
-- meaning: Like uss, without the file pages that the kernel can read again instead of swapping them.
-- wrong when: Processes share changed memory (it counts nowhere), changed pages of a file are waiting to be written back, or
--   memory is not mapped. Pages that were freed lazily are clean for the kernel, and so do not count.
-- source: smaps_rollup (or smaps), Private_Dirty
SELECT snapshot_id, sum(private_dirty_kib) AS y_kib
FROM process
GROUP BY snapshot_id
