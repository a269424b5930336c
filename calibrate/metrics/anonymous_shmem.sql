-- name: anonymous_shmem
-- summary: resident anonymous and shared memory
-- meaning: Like anonymous, plus the resident pages of shared memory and of mapped tmpfs files, which go to swap as well.
-- wrong when: Processes share memory (each counts it), pages were freed lazily, or memory in a tmpfs is not mapped.
-- source: smaps, Anonymous, and Rss of mappings of kind shmem
SELECT snapshot_id,
       sum(anonymous_kib + CASE kind WHEN 'shmem' THEN rss_kib - anonymous_kib ELSE 0 END) AS y_kib
FROM mapping
GROUP BY snapshot_id
