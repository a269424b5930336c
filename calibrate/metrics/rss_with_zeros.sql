-- name: rss_with_zeros
-- summary: resident pages and every mapping of the page of zeros
-- meaning: What rss said when the kernel still counted the page of zeros (before 2.6.24), where memory that was only
--   ever read points to. It answers the question whether counting null pages matters: compare it with rss.
-- wrong when: Memory was read before it was written: such pages take no RAM. Else as for rss.
-- source: smaps_rollup (or smaps), Rss; pagemap and kpageflags (ZERO_PAGE); the draft "Benchmarking Memory usage of
--   Python/PyPy" (PyPy project, 2008)
SELECT snapshot_id,
       (SELECT sum(rss_kib) FROM process p WHERE p.snapshot_id = s.snapshot_id) + mapped AS y_kib
FROM (SELECT snapshot_id, sum(CASE backing WHEN 'zero' THEN mapped_kib ELSE 0 END) AS mapped
      FROM pages
      GROUP BY snapshot_id) s
