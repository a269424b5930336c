/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <sqlite3.h>

#include "harness/store/blob.h"
#include "tests/unit/results.h"

/*
 * Files that are not ours, no longer ours, or made to harm: each is refused with words that help, and left as
 * it is.
 */

static const char good[] = "good.swapcal";

static void make_good_file(void)
{
	cleanup(cell_deinit) struct cell cell = test_cell(0, 256, "threshold", "ballast", "-", NULL);
	struct probe_record r = test_probe(&cell, 0, 0, PROBE_RAMP, 0, OUTCOME_ONSET);
	struct snapshot *s = test_snapshot(&r, "onset");

	test_heap(s, 12, 1000, 24);
	test_evidence(s, 0, "meminfo", "MemFree:   1 kB\n");
	for (int i = 0; i < 50; i++)
		array_push(r.samples, r.samples_count, r.samples_cap)->t_us = (unsigned)i;
	test_put_alone(good, &cell, r);
}

/* A file with this content. */
static const char *put_file(const char *name, const void *data, size_t len)
{
	must(file_write_atomic(name, data, len, 0600));
	return name;
}

/* Everything there is to read; the first error. */
static struct err *read_all(struct store *store)
{
	struct probe_record *probes = NULL;
	struct cell *cells = NULL;
	struct proto_sample *samples = NULL;
	struct store_piece *pieces = NULL;
	struct views *views = NULL;
	size_t probes_n = 0, cells_n = 0, pieces_n = 0, n = 0;
	cleanup_strbuf struct strbuf content = STRBUF_INIT;
	cleanup(cleanup_json_) json_t *audit = NULL;
	char *name = NULL, *text = NULL, *status = NULL;
	struct err *e = store_last_run(store, &audit, &name, &text, &status);

	if (!e)
		e = store_cells(store, &cells, &cells_n);
	if (!e)
		e = store_probes(store, NULL, &probes, &probes_n);
	if (!e && probes_n)
		e = store_samples(store, probes[0].id, &samples, &n);
	if (!e)
		e = store_views(store, STORE_JUDGED, VIEWS_ALL, &views);
	if (!e)
		e = store_pieces(store, &pieces, &pieces_n);
	for (size_t i = 0; !e && i < pieces_n; i++)
		e = store_read_piece(store, &pieces[i], &content);
	views_destroy(views);
	store_pieces_free(pieces, pieces_n);
	store_probes_free(probes, probes_n);
	store_cells_free(cells, cells_n);
	free(samples);
	free(name);
	free(text);
	free(status);
	return e;
}

static struct err *open_and_read(const char *path, enum store_mode mode)
{
	struct store *store;
	struct err *e = store_open(path, mode, &store);

	if (e)
		return e;
	e = read_all(store);
	store_close(store);
	return e;
}

/* Both modes fail with words that contain part and the file's name, and the file keeps its bytes. */
static void check_refused(const char *path, const char *part, const char *what)
{
	static const enum store_mode modes[] = { STORE_READ, STORE_WRITE };
	char before[65] = "", after[65] = "";

	for (int i = 0; i < 2; i++) {
		must(file_sha256(path, before));

		struct err *e = open_and_read(path, modes[i]);

		has_str(e ? err_message(e) : NULL, part, what);
		has_str(e ? err_message(e) : NULL, path, "the error names the file");
		must(file_sha256(path, after));
		is_str(after, before, "the file is as it was");
		err_free(e);
	}
}

/* A copy of the good file after some SQL. */
static const char *tampered(const char *sql)
{
	static int count;
	const char *path = test_format("tampered-%d", count++);
	char *message = NULL;
	sqlite3 *db;

	must(file_copy(good, path, 0600));
	if (sqlite3_open(path, &db) || sqlite3_exec(db, sql, NULL, NULL, &message))
		must(err_new("%s", message ? message : "sqlite3_open"));
	sqlite3_close(db);
	return path;
}

static void check_tampered(const char *sql, const char *part, const char *what)
{
	/*
	 * What is wrong with content is found on reading, so only a reader is asked; a writer may rewrite the
	 * header.
	 */
	is_err(open_and_read(tampered(sql), STORE_READ), part, what);
}

static void test_other_files(void)
{
	const char *text = put_file("plan.yaml", "name: night\n", 12);
	static const char foreign[] = "foreign.db", wal[] = "wal.db";
	sqlite3 *db;

	check_refused(text, "not a swapcal results file", "a text file is refused");
	sqlite3_open(foreign, &db);
	sqlite3_exec(db, "CREATE TABLE t(x); INSERT INTO t VALUES(1)", NULL, NULL, NULL);
	sqlite3_close(db);
	check_refused(foreign, "SQLite file of another program", "another program's database is refused");
	sqlite3_open(wal, &db);
	sqlite3_exec(db, "PRAGMA journal_mode=WAL; CREATE TABLE t(x)", NULL, NULL, NULL);
	sqlite3_close(db);
	check_refused(wal, "SQLite file of another program", "and keeps its journal mode");

	is_err(open_and_read(".", STORE_READ), "but a directory", "a directory is refused");
	is_err(open_and_read("/nonexistent/f.swapcal", STORE_READ), "swapcal run PLAN -o",
	       "a missing file says how to make one");
	is_err(open_and_read("/nonexistent/f.swapcal", STORE_WRITE), "No such file or directory",
	       "a missing directory is said");
}

static void test_empty_file(void)
{
	const char *empty = put_file("empty", "", 0);

	is_err(open_and_read(empty, STORE_READ), "is empty", "an empty file has nothing to report");
	no_err(open_and_read(empty, STORE_WRITE), "a run may use it");
}

static void test_versions_and_schema(void)
{
	check_refused(tampered("PRAGMA user_version = 7"), "has schema version 7",
		      "another schema version is refused");
	check_refused(tampered("CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM probe; END"),
		      "is damaged: its tables", "a foreign trigger is refused");
	check_refused(tampered("ALTER TABLE probe RENAME TO p; CREATE VIEW probe AS SELECT * FROM p"),
		      "is damaged: its tables", "a view in a table's place is refused");
}

static void test_truncated(void)
{
	cleanup_strbuf struct strbuf bytes = STRBUF_INIT;

	must(file_read(good, 1 << 24, &bytes));
	check_refused(put_file("half", bytes.data, bytes.len / 2), "is damaged", "half a file is refused");
	check_refused(put_file("page", bytes.data, 4096), "is damaged", "one page of it is refused");
}

static void test_content(void)
{
	check_tampered("UPDATE probe SET outcome = 'fine'", "probe 1 has an impossible outcome",
		       "an unknown outcome");
	check_tampered("UPDATE probe SET z_kib = -1", "an impossible z_kib", "a negative size");
	check_tampered("UPDATE cell SET identity = '[1]'", "not a JSON object",
		       "an identity that is an array");
	check_tampered("UPDATE cell SET identity = '{'", "not a JSON object", "an identity that is no JSON");
	check_tampered("PRAGMA foreign_keys=OFF; UPDATE cell SET key = '../../x'", "not a hash",
		       "a key that is no hash");
	check_tampered("PRAGMA foreign_keys=OFF;"
		       "UPDATE probe SET cell_key = char(27) || substr(cell_key, 2)",
		       "an impossible cell_key", "a probe of a key that is no hash");
	check_tampered("UPDATE cell SET replicates = 4000000000",
		       "impossible position or number of replicates", "replicates without end");
	check_tampered("UPDATE series SET rows = rows + 1", "rows and columns it claims",
		       "a series with a row missing");
	check_tampered("UPDATE series SET rows = 1152921504606846976", "rows and columns it claims",
		       "rows beyond reason");
	check_tampered("UPDATE series SET data = x'28b52ffde00000000000000010010000'", "more than",
		       "a blob that claims too much");
	check_tampered("UPDATE series SET data = x''", "no zstd frame", "an empty blob");
	check_tampered("UPDATE evidence SET len = 5", "length it claims", "evidence of another length");
	check_tampered("UPDATE evidence SET pid = -1", "impossible pid", "a process with a negative pid");
	check_tampered("UPDATE evidence SET pid = 4294967308", "impossible pid", "a pid beyond 32 bits");
	check_tampered("UPDATE evidence SET data = NULL", "no zstd frame", "evidence that is not there");
}

/* A single column of zeros shrinks to nothing, and would take twenty times its size as samples. */
static void test_many_rows(void)
{
	size_t rows = ((size_t)256 << 20) / sizeof(struct proto_sample) + 1;
	cleanup_free uint64_t *zeros = xcalloc(rows, sizeof(*zeros));
	cleanup_strbuf struct strbuf blob = STRBUF_INIT, sql = STRBUF_INIT;

	must(blob_compress(zeros, rows * sizeof(*zeros), &blob));
	strbuf_addf(&sql, "UPDATE series SET columns = 't_us', rows = %zu, data = x'", rows);
	for (size_t i = 0; i < blob.len; i++)
		strbuf_addf(&sql, "%02x", (unsigned char)blob.data[i]);
	strbuf_adds(&sql, "'");
	check_tampered(sql.data, "rows and columns it claims", "more samples than memory is meant for");
}

/* A reader asks for a writer; what it finds under the name of the lock must not hold it up. */
static void test_lock_is_fifo(void)
{
	const char *lock = test_format("%s-lock", good);
	cleanup_store struct store *store = test_open(good, STORE_READ);
	long pid;

	if (mkfifo(lock, 0600))
		must(err_new("cannot make a FIFO"));
	alarm(HANGS_S);
	ok(!store_has_writer(store, &pid), "a FIFO in the lock's place is no writer");
	alarm(0);
	unlink(lock);
}

/* Columns are found by name, so that a file with other ones stays readable. */
static void test_mapped_columns(void)
{
	const char *path = tampered("UPDATE series SET columns = replace(columns, 't_us', 'unheard_of')");
	const char *swapped = tampered(
		"UPDATE series SET columns = replace(replace(replace(columns, 't_us', 'X'), 'oom_kill', "
		"'t_us'), 'X', 'oom_kill')");
	struct proto_sample *samples;
	struct store *store = test_open(path, STORE_READ);
	size_t n;

	must(store_samples(store, 1, &samples, &n));
	ok(n == 50 && samples[49].t_us == 0, "a column with an unknown name is dropped, a missing one is 0");
	free(samples);
	store_close(store);
	store = test_open(swapped, STORE_READ);
	must(store_samples(store, 1, &samples, &n));
	ok(n == 50 && samples[49].t_us == 0 && samples[49].oom_kill == 49,
	   "columns in another order are put right");
	free(samples);
	store_close(store);
}

/* Any damage is survived: an error or another value, never a crash (the sanitizers watch). */
static void test_random_damage(void)
{
	cleanup_strbuf struct strbuf bytes = STRBUF_INIT;
	unsigned refused = 0, seed = 1;

	must(file_read(good, 1 << 24, &bytes));
	for (int i = 0; i < 300; i++) {
		cleanup_free char *copy = xmemdup0(bytes.data, bytes.len);

		for (int j = 0; j < 20; j++)
			copy[(size_t)rand_r(&seed) % bytes.len] = (char)rand_r(&seed);

		const char *path = put_file("random", copy, bytes.len);
		struct err *e = open_and_read(path, STORE_READ);

		refused += e != NULL;
		err_free(e);
	}
	ok(refused > 100, "300 randomly damaged files are read without harm, and most damage is noticed");
}

static void test_untouched(void)
{
	no_err(open_and_read(good, STORE_READ), "the file is good before we touch it");
}

TAP_MAIN(test_in_dir, make_good_file, test_untouched, test_other_files, test_empty_file,
	 test_versions_and_schema, test_truncated, test_content, test_many_rows, test_lock_is_fifo,
	 test_mapped_columns, test_random_damage)
