-- name: vsz
-- summary: address space, used or not
-- meaning: The size of all mappings of every process, as ps shows it: what the process asked for, not what it
--   ever touched.
-- wrong when: Nearly always, as a measure of memory use: reserved heaps, guard areas and library text that is
--   never read count in full, and shared mappings count once per process. It is here as the bad example.
-- source: smaps, Size; without [vsyscall], which is the kernel's own page
SELECT snapshot_id, sum(size_kib) AS y_kib
FROM process
GROUP BY snapshot_id
