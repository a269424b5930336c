-- name: private_dirty
-- summary: changed pages that only one process maps
-- meaning: Like uss, without the file pages that the kernel can read again instead of swapping them.
-- wrong when: Processes share changed memory (it counts nowhere), or pages were freed lazily (they still count).
-- source: smaps, Private_Dirty
SELECT snapshot_id, sum(private_dirty_kib) AS y_kib
FROM mapping
GROUP BY snapshot_id
