-- name: memcg_anon
-- summary: anonymous pages that are mapped, of the load's cgroup
-- meaning: Resident anonymous memory as the memory controller counts it, each page once.
-- wrong when: Much is in shared memory or a tmpfs (which swap but are not in it), or pages were freed lazily (they are
--   mapped until they are taken). Pages that are already in swap are missing.
-- source: memory.stat of cgroup v2, anon
SELECT snapshot_id, value / 1024.0 AS y_kib
FROM guest
WHERE key = 'memory.stat.anon'
