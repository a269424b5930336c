-- name: mem_available_delta
-- summary: how much the guest's MemAvailable fell
-- meaning: The kernel's own guess at how much a new load can take without swapping, before the load and now.
-- wrong when: The guess is wrong: it takes half of the page cache and of the slab that can shrink to be in use, and
--   knows nothing of swappiness. It cannot fall below what is free once all is used. Other programs move it, too.
-- source: meminfo, MemAvailable (since Linux 3.14), now and in the baseline
SELECT g.snapshot_id, b.value - g.value AS y_kib
FROM guest g JOIN baseline b ON b.snapshot_id = g.snapshot_id AND b.key = g.key
WHERE g.key = 'meminfo.MemAvailable'
