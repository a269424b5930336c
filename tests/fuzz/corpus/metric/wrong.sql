-- name: wrong
-- summary: s
-- meaning: m
-- wrong when: always
-- source: none
SELECT snapshot_id, pss_kb AS y_kib FROM proces; PRAGMA x; ATTACH 'y' AS z; SELECT random(), "", load_extension('x')
