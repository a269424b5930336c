-- name: rss_with_zeros
-- summary: resident pages and every mapping of the page of zeros
-- meaning: What rss was when the kernel still counted the page of zeros (before 2.6.24). Memory that was only ever read
--   points to that page. Does counting null pages matter? Compare this metric with rss.
-- wrong when: Memory was read before it was written: such pages take no RAM. Otherwise as for rss.
-- source: smaps_rollup (or smaps), Rss; pagemap and kpageflags (ZERO_PAGE); the draft "Benchmarking Memory usage of
--   Python/PyPy" (PyPy project, 2008)
SELECT snapshot_id,
       (SELECT sum(rss_kib) FROM process p WHERE p.snapshot_id = s.snapshot_id) + mapped AS y_kib
FROM (SELECT snapshot_id, sum(CASE backing WHEN 'zero' THEN mapped_kib ELSE 0 END) AS mapped
      FROM pages
      GROUP BY snapshot_id) s
