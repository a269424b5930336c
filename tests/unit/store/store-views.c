/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "tests/unit/evidence/views.h"
#include "tests/unit/results.h"

/*
 * Which evidence of a file becomes rows of views, and pieces of it as they came.
 */

static const char path[] = "f.swapcal";

/* Its heaps tell the snapshots apart: rss is the probe's number, then 1 for load and 2 for onset. */
static void put(struct store *store, int64_t run, const struct cell *cell, enum probe_kind kind, unsigned n)
{
	struct probe_record r = test_probe(cell, n, 0, kind, 0, OUTCOME_ONSET);
	struct snapshot *s = test_snapshot(&r, "baseline");

	test_heap(s, 5, 4, 0);
	test_evidence(s, 0, "vmstat", n == 1 ? "pswpout 11\n" : "pswpout 12\n");
	test_missing_evidence(s, 0, "meminfo");
	if (n != 3) {
		test_heap(test_snapshot(&r, "load"), 20, 10 * n + 1, 0);
		s = test_snapshot(&r, "onset");
		test_heap(s, 20, 10 * n + 2, 0);
		test_heap(s, 21, 1000, 0);
		test_evidence(s, 0, "vmstat", "pswpout 21\n");
		test_evidence(s, 0, "console", "\x01 raw\n");
		if (n == 2)
			test_missing_evidence(s, 22, "smaps");
	}
	test_put(store, run, r);
}

static void make_file(void)
{
	cleanup_store struct store *store = test_open(path, STORE_WRITE);
	cleanup(cell_deinit) struct cell growth = test_cell(0, 256, "growth", "strings", "python3", NULL);
	cleanup(cell_deinit) struct cell displacement =
		test_cell(1, 256, "displacement", "strings", "python3", NULL);

	must(store_put_cell(store, &growth));
	must(store_put_cell(store, &displacement));

	int64_t run = test_begin_run(store);

	put(store, run, &growth, PROBE_GROWTH, 1);
	put(store, run, &displacement, PROBE_DISPLACEMENT, 2);
	put(store, run, &growth, PROBE_GROWTH, 3);
	put(store, run, &growth, PROBE_RAMP, 2);
}

static struct views *read_views(unsigned set)
{
	cleanup_store struct store *store = test_open(path, STORE_READ);
	struct views *views;

	must(store_views(store, STORE_JUDGED, set, &views));
	return views;
}

static void test_snapshots(void)
{
	struct views *v = read_views(VIEWS_ALL);

	is_int(views_rows(v, VIEW_SNAPSHOT), 3, "a snapshot of each probe that has one");
	is_int(cell(v, VIEW_SNAPSHOT, 0, "probe_id"), 1, "that of the first probe");
	is_str(text_cell(v, VIEW_SNAPSHOT, 0, "name"), "onset", "a growth probe is judged at onset");
	is_str(text_cell(v, VIEW_SNAPSHOT, 1, "name"), "load", "a displacement probe with the load alone");
	is_int(cell(v, VIEW_SNAPSHOT, 2, "probe_id"), 4, "a probe without evidence gives none");
	is_int(cell(v, VIEW_SNAPSHOT, 0, "is_incomplete"), 0, "all of it was read");
	is_int(cell(v, VIEW_SNAPSHOT, 2, "is_incomplete"), 1, "a process that failed is noted");
	is_int(views_rows(v, VIEW_MAPPING), 5, "mappings of these snapshots alone");
	is_int(cell(v, VIEW_MAPPING, 0, "rss_kib"), 12, "at onset");
	is_int(cell(v, VIEW_MAPPING, 2, "rss_kib"), 21, "the load alone");
	is_int(cell(v, VIEW_MAPPING, 3, "rss_kib"), 22, "at onset again");
	is_int(views_rows(v, VIEW_GUEST), 2, "the guest's numbers where there are any");
	is_int(cell(v, VIEW_GUEST, 0, "value"), 21, "as of the snapshot");
	is_int(views_rows(v, VIEW_BASELINE), 3, "and of the baseline of each");
	is_int(cell(v, VIEW_BASELINE, 0, "value"), 11, "before the first load");
	is_int(cell(v, VIEW_BASELINE, 1, "value"), 12, "and the second");
	views_destroy(v);
	v = read_views(VIEW_BIT(VIEW_SNAPSHOT) | VIEW_BIT(VIEW_GUEST));
	ok(views_rows(v, VIEW_GUEST) == 2 && views_rows(v, VIEW_MAPPING) == 0 &&
		   views_rows(v, VIEW_BASELINE) == 0,
	   "views that are not asked for stay empty");
	views_destroy(v);
}

/* A probe with checkpoints on the way, and names that are none. */
static void test_moments(void)
{
	static const char *const names[] = { "baseline", "build-1", "build-2", "load", "build-x", "onset" };
	struct views *v;
	cleanup(cell_deinit) struct cell c = test_cell(2, 256, "displacement", "burst", "python3", NULL);
	struct probe_record r = test_probe(&c, 0, 0, PROBE_DISPLACEMENT, 0, OUTCOME_ONSET);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		test_heap(test_snapshot(&r, names[i]), 30, 100 + i, 0);
	test_evidence(&r.snapshots[3], 31, "smaps",
		      "1000-2000 r-xp 00000000 fe:00 12 /a\nReferenced: 40 kB\n");
	test_evidence(test_snapshot(&r, "used"), 31, "smaps",
		      "1000-2000 r-xp 00000000 fe:00 12 /a\nReferenced: 4 kB\n");
	test_put_alone(path, &c, r);

	cleanup_store struct store *store = test_open(path, STORE_READ);

	must(store_views(store, STORE_CHECKPOINTS, VIEWS_ALL, &v));
	is_int(views_rows(v, VIEW_SNAPSHOT), 3, "checkpoints and load, of a probe that has both");
	is_str(text_cell(v, VIEW_SNAPSHOT, 0, "name"), "build-1", "in the order they were taken");
	is_str(text_cell(v, VIEW_SNAPSHOT, 1, "name"), "build-2", "each");
	is_str(text_cell(v, VIEW_SNAPSHOT, 2, "name"), "load", "and no other");
	views_destroy(v);
	must(store_views(store, STORE_JUDGED, VIEWS_ALL, &v));
	is_int(cell(v, VIEW_MAPPING, views_rows(v, VIEW_MAPPING) - 1, "referenced_kib"), 4,
	       "a load has used what was found out later");
	views_destroy(v);
	must(store_views(store, STORE_ONSET, VIEWS_ALL, &v));
	is_int(views_rows(v, VIEW_SNAPSHOT), 2, "onset of displacement probes");
	is_int(cell(v, VIEW_PROCESS, views_rows(v, VIEW_PROCESS) - 1, "rss_kib"), 105, "with its numbers");
	views_destroy(v);
}

static void on_content(void *arg, const struct store_content *c)
{
	struct strbuf *out = arg;

	strbuf_addf(out, "%lld/%s/%u/%s/%zu ", (long long)c->probe_id, c->snapshot, c->pid, c->name,
		    strlen(c->name) == 6 ? c->len : 0);
}

static void test_contents(void)
{
	static const char *const names[] = { "vmstat", "console", NULL };
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	cleanup_store struct store *store = test_open(path, STORE_READ);

	must(store_each_content(store, STORE_JUDGED, names, on_content, &out));
	is_str(strbuf_str(&out), "1/onset/0/vmstat/11 1/onset/0/console/0 ",
	       "contents by name, of no ballast, and none that could not be read");
}

static const struct store_piece *find(const struct store_piece *pieces, size_t n, int64_t probe_id,
				      const char *snapshot, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (pieces[i].probe_id == probe_id && strcmp(pieces[i].snapshot, snapshot) == 0 &&
		    strcmp(pieces[i].name, name) == 0)
			return &pieces[i];
	must(err_new("no piece '%s' of snapshot '%s'", name, snapshot));
	return NULL;
}

static void test_pieces(void)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;
	const struct store_piece *piece;
	struct store_piece *pieces;
	cleanup_store struct store *store = test_open(path, STORE_READ);
	bool is_sorted = true;
	size_t n;

	must(store_pieces(store, &pieces, &n));
	is_int(n, 8 + 9 + 3 + 9, "all pieces");
	for (size_t i = 1; i < n; i++)
		is_sorted &= pieces[i].probe_id > pieces[i - 1].probe_id ||
			     (pieces[i].probe_id == pieces[i - 1].probe_id &&
			      pieces[i].snapshot_id >= pieces[i - 1].snapshot_id);
	ok(is_sorted, "by probe and snapshot");
	is_str(pieces[0].name, "smaps", "then as they came");
	is_int(pieces[0].pid, 5, "of that process");
	piece = find(pieces, n, 1, "onset", "console");
	must(store_read_piece(store, piece, &sb));
	ok(sb.len == 6 && piece->len == 6 && memcmp(sb.data, "\x01 raw\n", 6) == 0, "byte for byte");
	must(store_read_piece(store, find(pieces, n, 1, "baseline", "vmstat"), &sb));
	is_str(sb.data + 6, "pswpout 11\n", "added to what was there");
	piece = find(pieces, n, 1, "baseline", "meminfo");
	is_str(piece->error, "No such process", "one that could not be read says why");

	is_err(store_read_piece(store, piece, &sb), "'meminfo' of process 0 could not be read",
	       "and has no content");
	store_pieces_free(pieces, n);
}

TAP_MAIN(test_in_dir, make_file, test_snapshots, test_pieces, test_moments, test_contents)
