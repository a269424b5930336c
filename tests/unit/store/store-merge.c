/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/store/store-merge.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "tests/unit/results.h"

/*
 * Files of shards, copies of files, and files that contradict each other, to one: nothing lost, nothing
 * twice, in any order, and nothing made where something is wrong.
 */

static struct cell z128, g128, z256, g256;

static int64_t begin(struct store *store, const char *plan, const char *shard)
{
	cleanup(cleanup_json_) json_t *audit = json_pack("{s:s}", "host", "test");
	int64_t id;

	if (shard)
		json_object_set_new(audit, "shard", json_string(shard));
	must(store_begin_run(store, audit, plan, plan, &id));
	return id;
}

static void add_cells(struct store *store, const struct cell *a, const struct cell *b)
{
	must(store_put_cell(store, a));
	if (b)
		must(store_put_cell(store, b));
}

/* A probe that started at that second, with evidence and a series of its own. */
static void add_probe(struct store *store, int64_t run, const struct cell *cell, unsigned replicate,
		      unsigned seq, enum outcome outcome, double started_s)
{
	struct probe_record r = test_probe(cell, replicate, seq, PROBE_GROWTH, 0, outcome);
	cleanup_free char *text = xasprintf("MemFree: %.0f kB\n", started_s);

	r.started_s = started_s;
	r.seed = UINT64_MAX - replicate;
	test_evidence(test_snapshot(&r, "baseline"), 0, "meminfo", text);
	test_evidence(test_snapshot(&r, "onset"), 7, "smaps", text);
	for (unsigned i = 0; i < 5; i++)
		array_push(r.samples, r.samples_count, r.samples_cap)->t_us = i + (unsigned)started_s;
	test_put(store, run, r);
}

/* A file of one run with two cells and an answer to each. */
static void make_shard(const char *name, const char *shard, const struct cell *a, const struct cell *b,
		       double started_s)
{
	cleanup_store struct store *store = test_open(name, STORE_WRITE);
	int64_t run = begin(store, "night", shard);

	add_cells(store, a, b);
	add_probe(store, run, a, 0, 0, OUTCOME_ONSET, started_s);
	if (b)
		add_probe(store, run, b, 0, 0, OUTCOME_NO_ONSET, started_s + 1);
	must(store_end_run(store, run, "done"));
}

/* Adds a run of a plan to a file, new or not, which ends after one answer. */
static void add_answer(const char *name, const char *plan, const struct cell *cell, unsigned seq,
		       enum outcome outcome, double started_s)
{
	cleanup_store struct store *store = test_open(name, STORE_WRITE);

	must(store_put_cell(store, cell));
	add_probe(store, begin(store, plan, NULL), cell, 0, seq, outcome, started_s);
}

/* Merges files, NULL at the end. */
static struct err *merge(const char *out, const char *const *names, struct merge_result *ret)
{
	size_t n = 0;

	while (names[n])
		n++;
	return store_merge(out, names, n, ret);
}

#define NAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* A merge that has to come out well; what it gives is valid until the next one. */
static struct merge_result good(const char *out, const char *const *names)
{
	static struct merge_result r;

	merge_result_deinit(&r);
	must(merge(out, names, &r));
	is_int(r.conflicts_n, 0, "files are merged without conflict");
	return r;
}

/* Files whose names begin with name. */
static int count_files(const char *name)
{
	DIR *d = opendir(".");
	int n = 0;

	for (struct dirent *entry; (entry = readdir(d));)
		n += strncmp(entry->d_name, name, strlen(name)) == 0;
	closedir(d);
	return n;
}

static int add_row(void *arg, int n, char **values, char **names)
{
	(void)names;
	for (int i = 0; i < n; i++)
		strbuf_addf(arg, "%s|", values[i] ? values[i] : "NULL");
	strbuf_adds(arg, "\n");
	return 0;
}

/* All there is in a file but for the numbers of its rows. */
static char *dump(const char *name)
{
	static const char sql[] =
		"SELECT * FROM cell ORDER BY key;"
		"SELECT started_s, ended_s, status, audit, plan_text FROM run ORDER BY started_s;"
		"SELECT p.*, r.started_s, hex(s.data), s.rows FROM (SELECT cell_key, replicate, seq, seed,"
		" outcome, started_s, flags, console, id * 0, run_id * 0 FROM probe) p"
		" JOIN probe q ON q.started_s = p.started_s JOIN run r ON r.id = q.run_id"
		" LEFT JOIN series s ON s.probe_id = q.id ORDER BY p.started_s;"
		"SELECT p.started_s, s.name, e.pid, e.name, e.len, e.error, hex(e.data) FROM probe p"
		" JOIN snapshot s ON s.probe_id = p.id JOIN evidence e ON e.snapshot_id = s.id"
		" ORDER BY p.started_s, s.name, e.name";
	struct strbuf text = STRBUF_INIT;
	sqlite3 *db;

	if (sqlite3_open(name, &db) || sqlite3_exec(db, sql, add_row, &text, NULL))
		must(err_new("dump of %s: %s", name, sqlite3_errmsg(db)));
	sqlite3_close(db);
	return strbuf_steal(&text);
}

static void is_same_content(const char *a, const char *b, const char *what)
{
	is_str(test_keep(dump(a)), test_keep(dump(b)), what);
}

static void change(const char *name, const char *sql)
{
	sqlite3 *db;

	if (sqlite3_open(name, &db) || sqlite3_exec(db, sql, NULL, NULL, NULL))
		must(err_new("%s: %s", sql, sqlite3_errmsg(db)));
	sqlite3_close(db);
}

static void copy(const char *from, const char *to)
{
	must(file_copy(from, to, 0600));
}

static void check_joined(const char *name)
{
	cleanup_results struct test_results all = test_results(name);
	cleanup_strbuf struct strbuf content = STRBUF_INIT;
	cleanup_store struct store *store = test_open(name, STORE_READ);
	const struct probe_record *probe = NULL;
	struct store_piece *pieces;
	struct proto_sample *samples;
	size_t pieces_n, n;

	is_int(all.cells_n, 4, "all cells are there, and current");
	for (size_t i = 0; i < all.cells_n; i++)
		is_int(all.cells[i].position, i, "in the plan's order");
	for (size_t i = 0; i < all.probes_n; i++)
		if (strcmp(all.probes[i].cell_key, g256.key) == 0)
			probe = &all.probes[i];
	ok(probe != NULL, "a probe of the second file");
	must(store_samples(store, probe->id, &samples, &n));
	ok(n == 5 && samples[4].t_us == 4 + 201, "has its series");
	must(store_pieces(store, &pieces, &pieces_n));
	is_int(pieces_n, 8, "all evidence is there");
	for (size_t i = 0; i < pieces_n; i++)
		if (pieces[i].probe_id == probe->id && pieces[i].pid == 7)
			must(store_read_piece(store, &pieces[i], &content));
	is_str(strbuf_str(&content), "MemFree: 201 kB\n", "with its content");
	store_pieces_free(pieces, pieces_n);
	free(samples);
}

static void test_shards(void)
{
	make_shard("a", "1/2", &z128, &g128, 100);
	make_shard("b", "2/2", &z256, &g256, 200);

	struct merge_result r = good("ab", NAMES("a", "b"));

	ok(r.cells == 4 && r.probes == 4 && r.plans == 1 && r.repeated == 0, "and counted");
	ok(!r.missing_shards && !r.without_z, "nothing is missing");
	check_joined("ab");
	is_int(test_mode("ab"), 0600, "the new file is its owner's alone");
	is_int(count_files("ab"), 1, "and nothing else is left");
}

static void test_order_and_repetition(void)
{
	struct merge_result r = good("ba", NAMES("b", "a"));

	is_same_content("ba", "ab", "the order of files does not matter");
	r = good("again", NAMES("ab"));
	is_same_content("again", "ab", "one file alone is copied");
	r = good("more", NAMES("b", "ab", "a", "ab"));
	is_int(r.repeated, 8, "what was there already is counted");
	is_same_content("more", "ab", "and merging what was merged changes nothing");
}

static void test_empty_shard(void)
{
	struct store *store = test_open("e", STORE_WRITE);

	must(store_end_run(store, begin(store, "night", "3/3"), "done"));
	store_close(store);

	struct merge_result r = good("ae", NAMES("e", "a"));

	ok(r.cells == 2 && r.probes == 2 && r.plans == 1, "a shard without cells has its place");
	store = test_open("none", STORE_WRITE);
	store_close(store);
	r = good("an", NAMES("none", "a"));
	ok(r.cells == 2 && r.plans == 1, "as has a file that no run has written to");
	is_same_content("an", "a", "which adds nothing");
}

static void test_missing(void)
{
	make_shard("m1", "2/5", &z256, &g128, 300);
	make_shard("m2", "4/5", &g256, NULL, 310);

	struct merge_result r = good("m", NAMES("m1", "m2"));

	is_str(r.missing_shards, "1, 3, 5 of 5", "shards that are in no file are told");
	is_int(r.without_z, 1, "so is what has no threshold to be compared with");
	make_shard("m3", NULL, &z128, NULL, 320);
	r = good("mw", NAMES("m1", "m2", "m3"));
	ok(!r.missing_shards && r.without_z == 0, "who ran the whole plan misses none");
}

static void test_replicates(void)
{
	struct cell more = g128;

	make_shard("r0", NULL, &g128, NULL, 400);

	struct store *store = test_open("r1", STORE_WRITE);
	int64_t run = begin(store, "night", NULL);

	more.replicates = 3;
	add_cells(store, &more, NULL);
	add_probe(store, run, &g128, 1, 0, OUTCOME_ONSET, 410);
	add_probe(store, run, &g128, 2, 0, OUTCOME_AGENT_LOST, 411);
	store_close(store);

	struct merge_result r = good("r", NAMES("r0", "r1"));
	cleanup_results struct test_results all = test_results("r");

	ok(r.cells == 1 && r.probes == 3, "replicates of one cell join");
	is_int(all.cells[0].replicates, 3, "the most replicates that were asked for");
}

/* A copy that went on, one that went another way, and a machine on which everything failed. */
static void test_copies(void)
{
	make_shard("c0", NULL, &g128, NULL, 500);
	copy("c0", "c1");
	copy("c0", "c2");
	add_answer("c1", "night", &g128, 1, OUTCOME_NO_ONSET, 510);

	struct merge_result r = good("c01", NAMES("c0", "c1"));

	ok(r.probes == 2 && r.repeated == 1, "a file and its copy that went on");
	is_same_content("c01", "c1", "are the copy");
	r = good("c10", NAMES("c1", "c0"));
	is_same_content("c10", "c1", "in this order too");

	add_answer("c2", "night", &g128, 1, OUTCOME_ONSET, 520);
	must(merge("c", NAMES("c0", "c1", "c2"), &r));
	ok(r.conflicts_n == 1, "two copies that went on contradict each other");
	is_str(r.conflicts_n ? r.conflicts[0].a : NULL, "c1", "both are named");
	is_str(r.conflicts_n ? r.conflicts[0].b : NULL, "c2", "and the other is not");
	is_int(count_files("c."), 0, "nothing is left of what was begun");
	merge_result_deinit(&r);

	add_answer("f", "night", &g128, 0, OUTCOME_BOOT_FAIL, 530);
	r = good("cf", NAMES("f", "c1"));
	is_int(r.probes, 3, "who has failures only contradicts nobody");
}

static void test_conflicts(void)
{
	struct merge_result r;

	make_shard("x", NULL, &z128, &g128, 600);
	make_shard("y", NULL, &z128, &g128, 610);
	copy("x", "x2");
	must(merge("xy", NAMES("x", "y", "x2"), &r));
	is_int(r.conflicts_n, 4, "every answer that two files have independently, with each other file");
	ok(r.conflicts_n == 4 && !r.conflicts[0].is_identity && r.conflicts[0].replicate == 0 &&
		   strcmp(r.conflicts[0].cell.key, z128.key) == 0,
	   "with its cell and replicate");
	ok(r.conflicts_n == 4 && strcmp(r.conflicts[1].a, "y") == 0 && strcmp(r.conflicts[1].b, "x2") == 0,
	   "and both files");
	is_int(count_files("xy"), 0, "and no file is made");
	merge_result_deinit(&r);

	/* A cell under another's key, as only a file has that somebody changed. */
	copy("x", "w");
	change("w", "UPDATE cell SET identity = replace(identity, '128', '129') WHERE position = 1");
	must(merge("xw", NAMES("x", "w"), &r));
	ok(r.conflicts_n == 1 && r.conflicts[0].is_identity, "one key for two cells");
	is_str(r.conflicts_n ? r.conflicts[0].b : NULL, "w", "is told with the file");
	is_int(count_files("xw"), 0, "and makes none");
	merge_result_deinit(&r);
}

static void test_plans(void)
{
	struct cell first = z128;

	make_shard("p1", NULL, &z256, &g256, 700);
	first.position = 0;
	add_answer("p2", "other", &first, 0, OUTCOME_ONSET, 710);

	struct merge_result r = good("p", NAMES("p1", "p2"));
	cleanup_results struct test_results p = test_results("p");

	is_int(r.plans, 2, "files of two plans");
	is_str(p.plan_text, "night", "have that of the first");
	is_str(p.status, "done", "and how its run ended, not the one that came last");
	ok(p.cells_n == 3 && strcmp(p.cells[0].key, z256.key) == 0 && strcmp(p.cells[2].key, z128.key) == 0,
	   "cells of the second plan come after those of the first");
	r = good("q", NAMES("p2", "p1"));

	cleanup_results struct test_results q = test_results("q");

	is_str(q.plan_text, "other", "or have the plan of the other, when that is the first");
	is_str(q.status, "died", "whose run, which had no end, goes on nowhere");
}

static void test_former_cells(void)
{
	struct store *store = test_open("h1", STORE_WRITE);
	struct store_change change;

	begin(store, "night", NULL);
	add_cells(store, &z128, &g128);
	must(store_set_cells(store, &z128, 1, &change));
	store_close(store);
	make_shard("h2", NULL, &g128, NULL, 800);
	copy("h1", "h3");

	struct merge_result r = good("h13", NAMES("h1", "h3"));

	is_int(r.cells, 1, "a cell that no plan has any more is not current");
	r = good("h12", NAMES("h1", "h2"));
	is_int(r.cells, 2, "one that some plan has is");
	r = good("h21", NAMES("h2", "h1"));
	is_same_content("h12", "h21", "whichever comes first");
}

static void test_beside_writer(void)
{
	struct store *writer = test_open("l", STORE_WRITE);
	int64_t run = begin(writer, "night", NULL);

	add_cells(writer, &z128, &g128);
	add_probe(writer, run, &z128, 0, 0, OUTCOME_ONSET, 900);

	struct merge_result r = good("l1", NAMES("l"));

	is_int(r.probes, 1, "of a run under way what is there is taken");
	add_probe(writer, run, &g128, 0, 0, OUTCOME_ONSET, 901);
	must(store_end_run(writer, run, "done"));
	store_close(writer);
	r = good("l2", NAMES("l1", "l"));
	is_same_content("l2", "l", "and the rest when it has ended, with how it ended");
	r = good("l3", NAMES("l", "l1"));
	is_same_content("l3", "l", "in this order too");
}

static void is_refused(const char *out, const char *const *names, enum err_kind kind, const char *part,
		       const char *what)
{
	struct merge_result r;
	int before = count_files(out);

	is_err_kind(merge(out, names, &r), kind, part, what);
	is_int(count_files(out), before, "no file is made, and nothing left behind");
	merge_result_deinit(&r);
}

static void test_existing(void)
{
	copy("a", "there");
	is_refused("there", NAMES("b"), ERR_USAGE, "give another name",
		   "a file that is there is not replaced");
	is_same_content("there", "a", "it is as it was");
	is_refused("a", NAMES("a", "b"), ERR_USAGE, "already exists", "nor one of those to merge");
	must(file_write_atomic("new-wal", "x", 1, 0600));
	is_refused("new", NAMES("a", "b"), ERR_USAGE, "new-wal", "nor beside a journal of another file");
	if (symlink("/nowhere/at/all", "link"))
		must(err_new("symlink"));
	is_refused("link", NAMES("a"), ERR_USAGE, "already exists", "nor through a link to nothing");
	is_refused("no/such", NAMES("a"), ERR_FAILED, "no/such", "nor in a directory that is not there");
	is_refused("new2", NAMES("a", "nothing"), ERR_FAILED, "nothing'", "a file to merge must be there");
}

static void test_damaged(void)
{
	static const struct {
		const char *sql, *part, *what;
	} tampered[] = {
		{ "UPDATE cell SET key = 'x' WHERE position = 0", "is not a hash", "a key that is none" },
		{ "UPDATE cell SET replicates = -1", "impossible", "replicates that there cannot be" },
		{ "UPDATE cell SET identity = '[]'", "not a JSON object", "an identity that is none" },
		{ "DELETE FROM cell", "no cell", "probes of no cell" },
		{ "DELETE FROM cell WHERE position = 1", "no cell", "a probe of no cell" },
		{ "UPDATE probe SET run_id = 77", "no run", "a probe of no run" },
		{ "UPDATE probe SET outcome = 'good'", "impossible outcome", "an outcome that there is not" },
		{ "UPDATE probe SET replicate = -1", "impossible replicate",
		  "a replicate that there is not" },
		{ "UPDATE run SET audit = 'x'", "not a JSON object", "an audit that is none" },
		{ "UPDATE evidence SET pid = -1", "impossible pid", "a process that there cannot be" },
		{ "CREATE VIEW v AS SELECT 1", "tables are not those", "a table of another's making" },
		{ "PRAGMA user_version = 9", "schema version 9", "another version" },
		{ "PRAGMA application_id = 9", "another program", "another program's file" },
	};

	for (size_t i = 0; i < sizeof(tampered) / sizeof(tampered[0]); i++) {
		const char *name = test_format("tampered-%zu", i);

		copy("a", name);
		change(name, tampered[i].sql);
		is_refused("d", NAMES("b", name), ERR_FAILED, tampered[i].part, tampered[i].what);
		is_refused("d", NAMES(name, "b"), ERR_FAILED, name, "with the name of the file");
	}

	copy("a", "cut");
	if (truncate("cut", 20000))
		must(err_new("truncate"));
	is_refused("d", NAMES("b", "cut"), ERR_FAILED, "damaged", "a file that was cut");
}

/* Merges a and b into out, in a process of its own that has prepared for failure: did it fail? */
static bool fails_to(const char *out)
{
	struct merge_result r;
	struct err *e = merge(out, NAMES("a", "b"), &r);

	merge_result_deinit(&r);
	err_free(e);
	return e != NULL;
}

/* 0 when a file that cannot become large enough is an error. */
static int merge_to_small_file(void)
{
	struct rlimit limit = { 40000, 40000 };

	signal(SIGXFSZ, SIG_IGN);
	return setrlimit(RLIMIT_FSIZE, &limit) || !fails_to("small");
}

/*
 * 0 when disks of all sizes have the file or nothing, the smaller ones nothing; 1 when one has something
 * else, 2 when no disk can be had.
 */
static int merge_to_small_disks(void)
{
	bool has_failed = false, has_file = false;

	if (mkdir("full", 0700) || unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 2;
	for (int kib = 20; kib <= 640; kib += 20) {
		int files = -2; /* "." and ".." are always there */

		if (mount("none", "full", "tmpfs", 0, test_format("size=%dk", kib)))
			return 2;
		has_file = !fails_to("full/out");
		has_failed |= !has_file;

		DIR *d = opendir("full");

		while (readdir(d))
			files++;
		closedir(d);
		if (files != has_file || file_exists("full/out") != has_file)
			return 1;
		umount("full");
	}
	return !has_failed || !has_file;
}

static void test_full_disk(void)
{
	is_int(test_in_child(merge_to_small_file()), 0, "what cannot be written is an error");
	is_int(count_files("small"), 0, "and leaves nothing");

	int status = test_in_child(merge_to_small_disks());

	ok(status == 0 || status == 2, status == 2 ? "skipped: no file system can be mounted here"
						   : "nothing is left on a full disk, whenever it gets full");
}

static void set_up(void)
{
	test_enter_dir();
	z128 = test_cell(0, 128, "threshold", "ballast", "-", NULL);
	g128 = test_cell(1, 128, "growth", "strings", "python3", &z128);
	z256 = test_cell(2, 256, "threshold", "ballast", "-", NULL);
	g256 = test_cell(3, 256, "growth", "strings", "python3", &z256);
}

TAP_MAIN(set_up, test_shards, test_order_and_repetition, test_empty_shard, test_missing, test_replicates,
	 test_copies, test_conflicts, test_plans, test_former_cells, test_beside_writer, test_existing,
	 test_damaged, test_full_disk)
