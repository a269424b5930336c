-- name: anonymous
-- summary: resident pages that belong to no file
-- meaning: Heap, stack and changed private file pages: what can only leave RAM by going to swap.
-- wrong when: Forked processes share pages (each counts them), much is in shared memory (which swaps but is not
--   counted), or pages were freed lazily. Pages that are already in swap are missing.
-- source: smaps_rollup (or smaps), Anonymous
SELECT snapshot_id, sum(anonymous_kib) AS y_kib
FROM process
GROUP BY snapshot_id
