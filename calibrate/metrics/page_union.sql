-- name: page_union
-- summary: physical pages that the processes map, each once
-- meaning: The referee: how much RAM is really behind all mappings of all processes together, by page frame number,
--   so that it does not matter how the kernel divides shared pages. Without the page of zeros.
-- wrong when: Pages are clean file pages, or were freed lazily: they are there, but the kernel takes them without swapping.
--   Memory that is not mapped, and kernel memory, is missing.
-- source: pagemap, kpageflags
SELECT snapshot_id, sum(kib) AS y_kib
FROM pages
WHERE state = 'resident' AND backing <> 'zero'
GROUP BY snapshot_id
