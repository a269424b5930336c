-- name: memcg_working_set
-- summary: the cgroup's charge without file pages that were not used lately
-- meaning: What Kubernetes calls the working set, by which it evicts: memory.current less inactive_file.
-- wrong when: The kernel could still drop file pages that are in use without swapping, but they count. Pages that were freed
--   lazily stand in the list of inactive file pages and so do not count.
-- source: memory.current and memory.stat of cgroup v2; the rule is cAdvisor's
-- best for: loads at rest on a machine that has just started (lru: virgin)
SELECT c.snapshot_id, (c.value - f.value) / 1024.0 AS y_kib
FROM guest c JOIN guest f ON f.snapshot_id = c.snapshot_id
WHERE c.key = 'memory.current' AND f.key = 'memory.stat.inactive_file'
