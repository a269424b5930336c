-- name: seed_formula
-- summary: shared parts once, private parts of each process
-- meaning: The rule for N processes in the draft that swapcal comes from: code and unchanged data once, changed data
--   and heap of each. A shared part is known by its file and offset. Anonymous memory that forked processes share is known by its
--   address. Each part counts as in the process that has most of it in RAM.
-- wrong when: Processes share different pages of one mapping, pages are clean file pages, pages were freed lazily, or
--   memory is not mapped.
-- source: smaps, Private_* and Shared_*; "Understanding linux /proc/pid/smaps info" in the draft "Benchmarking Memory
--   usage of Python/PyPy" (PyPy project, 2008)
SELECT snapshot_id, sum(kib) AS y_kib
FROM (SELECT snapshot_id, sum(private_clean_kib + private_dirty_kib) AS kib
      FROM process
      GROUP BY snapshot_id
      UNION ALL
      SELECT snapshot_id, sum(kib)
      FROM (SELECT snapshot_id, max(kib) AS kib
            FROM (SELECT snapshot_id, pid, dev, inode, CASE WHEN inode THEN offset ELSE start END AS place,
                         sum(shared_clean_kib + shared_dirty_kib) AS kib
                  FROM mapping
                  WHERE shared_clean_kib + shared_dirty_kib > 0
                  GROUP BY snapshot_id, pid, dev, inode, place)
            GROUP BY snapshot_id, dev, inode, place)
      GROUP BY snapshot_id)
GROUP BY snapshot_id
