-- name: uss
-- summary: resident pages that only one process maps
-- meaning: What would come free if one process ended, added up over the processes.
-- wrong when: Processes share memory (what forked processes share counts nowhere), or pages are
--   clean file pages.
-- source: smaps, Private_Clean + Private_Dirty
SELECT snapshot_id, sum(private_clean_kib + private_dirty_kib) AS y_kib
FROM mapping
GROUP BY snapshot_id
