-- name: referenced
-- summary: resident pages that were used since the kernel last looked
-- meaning: A guess at the working set: pages whose reference bit is set. Of the files of a load that was weighed at rest: pages
--   that it used in a time after it was weighed.
-- wrong when: Reclaim clears the bits as it goes, so that under pressure the metric shows how lately the kernel looked;
--   memory that is never used again still needs RAM or swap; processes share memory.
-- source: smaps, Referenced
SELECT snapshot_id, sum(referenced_kib) AS y_kib
FROM mapping
GROUP BY snapshot_id
