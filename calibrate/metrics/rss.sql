-- name: rss
-- summary: resident pages, each process by itself
-- meaning: Every page that is mapped and in RAM, added up over the processes.
-- wrong when: Processes share memory (a page counts once for each of them), pages are clean file pages (dropped
--   without swapping), or pages were freed lazily (they go without swapping too).
-- source: smaps, Rss
SELECT snapshot_id, sum(rss_kib) AS y_kib
FROM mapping
GROUP BY snapshot_id
