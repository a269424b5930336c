-- name: recursive
-- summary: s
-- meaning: m
--    goes on
-- wrong when: never
-- source: none
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9)
SELECT s.snapshot_id, sum(p.rss_kib) + max(i) AS y_kib FROM snapshot s JOIN process p USING (snapshot_id), n
GROUP BY s.snapshot_id
