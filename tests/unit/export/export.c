/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Raw data out of a results file: byte for byte, and nowhere but where it belongs. */
#include <ftw.h>

#include "harness/export/export.h"
#include "tests/unit/results.h"

static const char path[] = "x.swapcal";

static struct store *store;
static struct export *x;

/* Bytes of every value, with NULs. */
static const char bytes[] = "\0\1\2\n\r\xff\xfe\0 end";

static void add_samples(struct probe_record *r)
{
	for (uint64_t i = 0; i < 3; i++) {
		struct proto_sample *s = array_push(r->samples, r->samples_count, r->samples_cap);

		s->t_us = 20000 * (i + 1);
		s->oom_kill = i == 2 ? UINT64_MAX : i;
	}
}

/* Runs as an agent sends them. */
static const struct proto_page_run runs[] = {
	{ 0x400000, 0x8180000000001000, 0x5868, 1, 5, 1 },
	{ 0x600000, 0x4000000000000201, 0, 0, 64, -1 },
};

static void make_file(void)
{
	cleanup(cell_deinit) struct cell cell = test_cell(0, 256, "growth", "strings", "python3", NULL);
	struct probe_record r = test_probe(&cell, 0, 0, PROBE_GROWTH, 0, OUTCOME_ONSET),
			    bare = test_probe(&cell, 0, 1, PROBE_GROWTH, 0, OUTCOME_BOOT_FAIL);
	struct snapshot *baseline = test_snapshot(&r, "baseline");

	test_bytes(baseline, 0, "meminfo", "MemTotal: 1 kB\n", 15);

	struct snapshot *onset = test_snapshot(&r, "onset");

	test_bytes(onset, 0, "meminfo", "MemTotal: 2 kB\n", 15);
	test_bytes(onset, 0, "pressure/memory", "some\n", 5);
	test_bytes(onset, 42, "smaps", bytes, sizeof(bytes));
	test_bytes(onset, 42, "empty", "", 0);
	test_bytes(onset, 42, "pagemap", runs, sizeof(runs));
	test_missing_evidence(onset, 43, "smaps");
	test_bytes(test_snapshot(&bare, "post-mortem"), 0, "qemu.log", "qemu: no\33[2J disk\n", 18);
	add_samples(&r);
	store = test_open(path, STORE_WRITE);
	must(store_put_cell(store, &cell));

	int64_t run = test_begin_run(store);

	test_put(store, run, r);
	test_put(store, run, bare);
}

/* A file as someone else may have made it: names that lead out of the directory, or meet. */
static void add_hostile(void)
{
	cleanup(cell_deinit) struct cell cell = test_cell(0, 256, "growth", "strings", "python3", NULL);
	struct probe_record r = test_probe(&cell, 1, 0, PROBE_GROWTH, 0, OUTCOME_ONSET);
	static const char *const names[] = { "../../outside",
					     "/etc/outside",
					     "..",
					     ".",
					     "",
					     "-rf",
					     ".hidden",
					     "a/b",
					     "a_b",
					     "a b",
					     "line\nend,\"\033[2J",
					     "same",
					     "same",
					     "memory.stat",
					     "a/../b",
					     "\xc3\xa9" };

	cleanup_free char *longest = xcalloc(1, 5001);

	memset(longest, 'x', 5000);
	for (int i = 0; i < 2; i++) {
		struct snapshot *s = test_snapshot(&r, i ? "../../.." : "..");

		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++)
			test_evidence(s, 42, names[j], names[j]);
		test_evidence(s, 0, longest, "long");
	}
	test_snapshot(&r, "no pieces");
	test_put_alone(path, &cell, r);
}

/* The file says of itself what it says to a reader. */
static void reopen(void)
{
	if (x)
		export_close(x);
	store_close(store);
	store = test_open(path, STORE_READ);
	must(export_open(store, &x));
}

static char *piece(const char *name, size_t *ret_len)
{
	struct strbuf sb = STRBUF_INIT;
	const struct store_piece *p;

	must(export_find(x, name, &p));
	must(store_read_piece(store, p, &sb));
	*ret_len = sb.len;
	return strbuf_steal(&sb);
}

static void test_pieces(void)
{
	const struct store_piece *p;
	size_t len;
	cleanup_free char *smaps = piece("2/42/smaps", &len);

	ok(len == sizeof(bytes) && memcmp(smaps, bytes, len) == 0, "a piece is byte for byte what came");
	free(piece("2/42/empty", &len));
	is_int(len, 0, "an empty one is empty");
	free(piece("2/0/pressure/memory", &len));
	is_int(len, 5, "a name with a slash");

	is_err_kind(export_find(x, "2/42/smap", &p), ERR_USAGE, "2/42/smap",
		    "a name that is only near is wrong usage");
	must(export_find(x, "2/43/smaps", &p));

	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	is_err(store_read_piece(store, p, &sb), "No such process", "a piece that could not be read says why");
}

static void test_list(void)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT, csv = STRBUF_INIT, json = STRBUF_INIT;

	export_list_text(x, 0, &text);
	has_str(strbuf_str(&text), "2/42/smaps", "the list has each piece");
	has_str(strbuf_str(&text), "No such process", "and what is wrong with one");
	export_list_csv(x, &csv);
	has_str(strbuf_str(&csv), ",growth,strings,onset,2,onset,0,pressure/memory,5,\n", "also as CSV");
	export_list_json(x, &json);

	cleanup(cleanup_json_) json_t *root = json_loads(strbuf_str(&json), JSON_REJECT_DUPLICATES, NULL);
	const json_t *pieces = json_object_get(root, "pieces"), *last = json_array_get(pieces, 6);

	is_int(json_array_size(pieces), 8, "and as JSON");
	is_str(json_string_value(json_object_get(last, "piece")), "2/43/smaps", "by the same names");
	is_str(json_string_value(json_object_get(last, "error")), "No such process", "with errors");
	ok(json_is_null(json_object_get(json_array_get(pieces, 0), "error")), "or null");
}

static void test_series(void)
{
	cleanup_strbuf struct strbuf csv = STRBUF_INIT, json = STRBUF_INIT, none = STRBUF_INIT;
	char *line = NULL;
	unsigned lines = 0, commas = 0;

	export_series_header(&csv);
	must(export_series_csv(store, 1, &csv));
	for (const char *p = strbuf_str(&csv); *p; p++) {
		lines += *p == '\n';
		commas += *p == ',';
	}
	is_int(lines, 4, "three samples and a header");
	is_int(commas, 4 * 34, "each with its columns");
	line = strrchr(strbuf_str(&csv), ',');
	is_str(line, ",18446744073709551615\n", "the largest counter is whole");
	must(export_series_json(store, 1, &json));
	has_str(strbuf_str(&json), "\"t_us\", \"load_pages\"", "the columns are named in JSON");
	has_str(strbuf_str(&json), "\n[60000,0,", "rows are rows");
	must(export_series_csv(store, 2, &none));
	is_int(none.len, 0, "a probe without samples gives nothing");
	ok(export_find_probe(x, 2) && !export_find_probe(x, 99), "probes are known");
}

static void test_probe_text(void)
{
	cleanup_strbuf struct strbuf lost = STRBUF_INIT, answered = STRBUF_INIT, none = STRBUF_INIT;

	is_err_kind(export_probe_text(store, x, 99, &none), ERR_USAGE, "99", "a probe that is not there");
	must(export_probe_text(store, x, 2, &lost));
	must(export_probe_text(store, x, 1, &answered));
	has_str(strbuf_str(&lost), "probe     2, growth, of cell ", "all about a probe");
	has_str(strbuf_str(&lost), "\noutcome   boot-fail: it did not work\n", "its outcome and reason");
	has_str(strbuf_str(&lost), "\nconsole\n  console\n", "its console");
	has_str(strbuf_str(&lost), "\noutput of the load\n  output\n", "what the load printed");
	has_str(strbuf_str(&lost), "\nqemu.log\n  qemu: no?[2J disk\n",
		"what QEMU said, without what a terminal obeys");
	ok(!strstr(strbuf_str(&lost), "smaps"), "no pieces of another probe");
	has_str(strbuf_str(&answered), "2/42/smaps", "its pieces");
	ok(!strstr(strbuf_str(&answered), "qemu.log"), "no post-mortem of another one");
}

static void test_runs(void)
{
	size_t len;
	cleanup_free char *data = piece("2/42/pagemap", &len);
	cleanup_strbuf struct strbuf csv = STRBUF_INIT;

	must(export_runs_csv(data, len, &csv));
	is_str(strbuf_str(&csv),
	       "address,entry,flags,mapcount,pages,step\n"
	       "0x400000,0x8180000000001000,0x5868,1,5,1\n"
	       "0x600000,0x4000000000000201,0x0,0,64,-1\n",
	       "page runs as CSV");
	is_err(export_runs_csv(data, len - 1, &csv), "no whole number", "a part of a run is an error");
}

/* Content of a file below the tree. */
static char *tree_file(const char *tree, const char *name, size_t *ret_len)
{
	struct strbuf sb = STRBUF_INIT;
	struct err *e = file_read(test_format("%s/%s", tree, name), 1 << 20, &sb);

	if (e)
		printf("# %s\n", err_message(e));
	*ret_len = e ? (size_t)-1 : sb.len;
	err_free(e);
	return strbuf_steal(&sb);
}

static void is_file(const char *tree, const char *name, const char *want, const char *what)
{
	size_t len;

	is_str(test_keep(tree_file(tree, name, &len)), want, what);
}

static void test_tree(void)
{
	static const char tree[] = "tree";
	size_t len;

	must(export_tree(store, x, tree));

	cleanup_free char *smaps = tree_file(tree, "probe-0001/onset/pid-42/smaps", &len);

	ok(len == sizeof(bytes) && memcmp(smaps, bytes, len) == 0, "in a tree, bytes are bytes");

	cleanup_strbuf struct strbuf series = STRBUF_INIT;

	is_file(tree, "probe-0001/onset/guest/pressure_memory", "some\n",
		"a slash in a name is no directory");
	is_file(tree, "probe-0001/baseline/guest/meminfo", "MemTotal: 1 kB\n", "snapshots are kept apart");
	is_file(tree, "probe-0001/onset/pid-43/smaps.error", "No such process",
		"why a piece is missing is there");
	export_series_header(&series);
	must(export_series_csv(store, 1, &series));
	is_file(tree, "probe-0001/series.csv", strbuf_str(&series), "the series too");
	is_file(tree, "probe-0002/console.txt", "console", "what the guest's console said");
	free(tree_file(tree, "index.csv", &len));
	ok(len > 100 && len != (size_t)-1, "and the list");
	is_err_kind(export_tree(store, x, tree), ERR_USAGE, "not empty", "a directory with files is refused");
}

static unsigned files, wrong;

static int count(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	const char *base = name + ftw->base;

	(void)st;
	files += type == FTW_F;
	if (ftw->level && (*base == '.' || *base == '-' ||
			   strspn(base, "abcdefghijklmnopqrstuvwxyz"
					"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789._-~") != strlen(base)))
		wrong++;
	return 0;
}

static void test_hostile(void)
{
	static const char *const names[][2] = {
		{ "../../outside", "_._.._outside" },
		{ "memory.stat", "memory.stat" },
		{ "..", "_." },
		{ ".", "_" },
		{ "", "_~2" },
		{ "a/../b", "a_.._b" },
		{ "\xc3\xa9", "__" },
	};
	static const char tree[] = "in/hostile", in[] = "in";

	must(file_mkdirs(tree, 0700));
	must(export_tree(store, x, tree));
	files = wrong = 0;
	nftw(tree, count, 20, FTW_PHYS);
	is_int(files, 8 + 2 + 2 * 17 + 3 * 2, "every piece of a hostile file is below the directory");
	is_int(wrong, 0, "under a name that does no harm");
	files = 0;
	nftw(in, count, 20, FTW_PHYS);
	is_int(files, 8 + 2 + 2 * 17 + 3 * 2, "and nothing is beside it");

	is_file(tree, "probe-0003/_._.._../pid-42/same~2", "same", "two of one name are two files");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		cleanup_free char *name = xasprintf("probe-0003/_./pid-42/%s", names[i][1]);

		is_file(tree, name, names[i][0], names[i][1]);
	}

	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	export_list_text(x, 0, &text);
	ok(!strchr(strbuf_str(&text), '\033'), "the list has no escapes of a terminal");
}

TAP_MAIN(test_in_dir, make_file, reopen, test_pieces, test_list, test_series, test_probe_text, test_runs,
	 test_tree, add_hostile, reopen, test_hostile)
