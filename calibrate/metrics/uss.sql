-- name: uss
-- summary: resident pages that only one process maps
-- meaning: What would become free if one process ended, added up over the processes: the "process-private RAM" that the
--   draft of 2008 thought better than rss.
-- wrong when: Processes share memory (memory that forked processes share counts nowhere), pages are
--   clean file pages, pages were freed lazily, or memory is not mapped. Shared memory that one process maps is private.
-- source: smaps_rollup (or smaps), Private_Clean + Private_Dirty
SELECT snapshot_id, sum(private_clean_kib + private_dirty_kib) AS y_kib
FROM process
GROUP BY snapshot_id
