/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/store/store-merge.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/store/store-db.h"

/**
 * A merge under way. What is known of the origin of rows is in temporary tables beside the result:
 *
 *   - origin_cell: key, file that had it first, its plan (see plans) and position there;
 *   - origin_probe: id in the result, each file that has it, and what probes that are the same share;
 *   - origin_run: id in the file now read, and in the result.
 */
struct merge {
	struct store *out, *in;
	const char *const *paths;
	size_t file;  /**< the one now read, an index into paths */
	char **plans; /**< texts of the different plans, by the files that have them first */
	size_t plans_n, plans_cap;
	size_t plan;         /**< of the file now read, an index into plans */
	int64_t last_run_id; /**< the run in the result that has to be its latest; 0: none yet */
	struct merge_result *result;
};

void merge_result_deinit(struct merge_result *r)
{
	for (size_t i = 0; i < r->conflicts_n; i++)
		cell_deinit(&r->conflicts[i].cell);
	free(r->conflicts);
	free(r->missing_shards);
}

static struct err *create_tables(struct merge *m)
{
	return store_exec(
		m->out,
		"CREATE TEMP TABLE origin_cell (key TEXT PRIMARY KEY, file INTEGER, plan INTEGER,"
		" position INTEGER) STRICT;"
		"CREATE TEMP TABLE origin_probe (id INTEGER, file INTEGER, cell_key TEXT,"
		" replicate INTEGER, seq INTEGER, started_s REAL, PRIMARY KEY (id, file)) STRICT, WITHOUT ROWID;"
		"CREATE INDEX temp.same_probe ON origin_probe"
		" (cell_key, replicate, seq, started_s);"
		"CREATE TEMP TABLE origin_run (id INTEGER PRIMARY KEY, out_id INTEGER) STRICT");
}

/** All columns of a row from one on, as they are, as the parameters of another statement from index on. */
static void bind_columns(sqlite3_stmt *to, int index, sqlite3_stmt *from, int column)
{
	for (; column < sqlite3_column_count(from); column++)
		sqlite3_bind_value(to, index++, sqlite3_column_value(from, column));
}

/* --- Runs and cells. Cells, probes and audits are judged later, so they are checked here as a reader checks
 * them; evidence is copied as it is, and checked when it is unpacked. */

static struct err *check_audit(struct merge *m, sqlite3_stmt *row)
{
	cleanup_free char *text = store_column_text(row, 6);
	cleanup(cleanup_json_) json_t *audit = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	return json_is_object(audit) ? NULL : store_damaged(m->in, "the audit of a run is not a JSON object");
}

/* Of a run in the result, and another one with its columns as parameters. */
#define IS_SAME_RUN                                                                                          \
	" started_s = ?2 AND tool_version = ?5 AND pid = ?6 AND audit = ?7 AND plan_name = ?8"               \
	" AND plan_text = ?9"

static struct err *merge_run(struct merge *m, sqlite3_stmt *row)
{
	static const char *const steps[] = {
		/*
		 * One file may have been copied before the run ended, or before it was found dead; the
		 * result has what is known last.
		 */
		"UPDATE run SET ended_s = ?3, status = ?4 WHERE" IS_SAME_RUN
		" AND ended_s IS NULL AND (?3 IS NOT NULL OR status = 'running')",
		"INSERT INTO run (started_s, ended_s, status, tool_version, pid, audit, plan_name, plan_text)"
		" SELECT ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9"
		" WHERE NOT EXISTS (SELECT 1 FROM run WHERE" IS_SAME_RUN ")",
		"INSERT INTO origin_run SELECT ?1, id FROM run WHERE" IS_SAME_RUN,
	};
	struct err *e = check_audit(m, row);

	for (size_t i = 0; !e && i < COUNT(steps); i++) {
		cleanup_stmt sqlite3_stmt *stmt = NULL;

		e = store_prepare(m->out, steps[i], &stmt);
		if (e)
			break;
		bind_columns(stmt, 1, row, 0);
		e = store_run(m->out, stmt);
	}
	return e;
}

static struct err *merge_runs(struct merge *m)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_exec(m->out, "DELETE FROM origin_run");

	if (!e)
		e = store_prepare(m->in,
				  "SELECT id, started_s, ended_s, status, tool_version, pid, audit,"
				  " plan_name, plan_text FROM run ORDER BY id",
				  &stmt);
	while (store_next(m->in, stmt, &e))
		e = merge_run(m, stmt);
	if (!e && !m->last_run_id)
		e = store_query_int(m->out, &m->last_run_id,
				    "SELECT out_id FROM origin_run ORDER BY id DESC LIMIT 1");
	return e;
}

/** Puts a cell into the result. When it is there, the current one of the two says what the plan wants of it,
 * and where it is. */
static struct err *put_cell(struct merge *m, const struct cell *cell, const char *identity, bool is_current)
{
	static const char *const steps[] = {
		"INSERT INTO origin_cell VALUES (?1, ?7, ?8, ?3)"
		" ON CONFLICT (key) DO UPDATE SET plan = ?8, position = ?3"
		" WHERE ?6 AND NOT (SELECT is_current FROM cell WHERE key = ?1)",
		"INSERT INTO cell (key, threshold_key, position, replicates, identity, is_current)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (key) DO UPDATE SET"
		" replicates = iif(is_current = ?6, max(replicates, ?4), ?4), threshold_key = iif(is_current = ?6, threshold_key, ?2), is_current = ?6"
		" WHERE is_current <= ?6",
	};
	struct err *e = NULL;

	for (size_t i = 0; !e && i < COUNT(steps); i++)
		e = store_change(m->out, steps[i], STORE_TEXT(cell->key), STORE_TEXT(cell->threshold_key),
				 STORE_INT(cell->position), STORE_INT(cell->replicates), STORE_TEXT(identity),
				 STORE_INT(is_current), STORE_INT(m->file), STORE_INT(m->plan));
	return e;
}

/** A conflict between file a and b over the cell (its own copy is made). */
static void add_conflict(struct merge *m, const struct cell *cell, size_t a, size_t b, int64_t replicate)
{
	struct merge_result *r = m->result;
	struct merge_conflict *c = array_push(r->conflicts, r->conflicts_n, r->conflicts_cap);

	*c = (struct merge_conflict){
		.cell = *cell,
		.is_identity = replicate < 0,
		.replicate = replicate < 0 ? 0 : (unsigned)replicate,
		.a = m->paths[a],
		.b = m->paths[b],
	};
	json_incref(c->cell.identity);
}

static struct err *merge_cell(struct merge *m, sqlite3_stmt *row)
{
	cleanup_stmt sqlite3_stmt *found = NULL;
	cleanup_free char *identity = store_column_text(row, 4);
	struct cell cell = { .identity = NULL }, other = { .identity = NULL };
	struct err *e = store_read_cell(m->in, row, &cell);

	if (!e)
		e = store_ask(m->out, &found,
			      "SELECT c.key, c.threshold_key, c.position, c.replicates, c.identity, o.file"
			      " FROM cell c JOIN origin_cell o ON o.key = c.key WHERE c.key = ?",
			      STORE_TEXT(cell.key));
	if (store_next(m->out, found, &e)) {
		e = store_read_cell(m->out, found, &other);
		if (!e && !json_equal(cell.identity, other.identity))
			add_conflict(m, &cell, (size_t)sqlite3_column_int64(found, 5), m->file, -1);
	}
	if (!e)
		e = put_cell(m, &cell, identity, sqlite3_column_int(row, 5) != 0);
	cell_deinit(&cell);
	cell_deinit(&other);
	return e;
}

static struct err *merge_cells(struct merge *m)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_prepare(m->in,
				      "SELECT key, threshold_key, position, replicates, identity,"
				      " is_current <> 0 FROM cell ORDER BY position, key",
				      &stmt);

	while (store_next(m->in, stmt, &e))
		e = merge_cell(m, stmt);
	return e;
}

/* --- Probes, with what hangs off them. Series and evidence stay compressed: whoever unpacks them checks
 * them. */

/**
 * Copies the rows that hang off `from`. What is selected is the number of a row, for `check_row` (NULL: none
 * is needed), which is called once the row is in the result, and its columns there, behind `to`.
 */
static struct err *copy_rows(struct merge *m, const char *select, int64_t from, const char *insert,
			     int64_t to, struct err *(*check_row)(struct merge *m, sqlite3_stmt *row))
{
	cleanup_stmt sqlite3_stmt *get = NULL, *put = NULL;
	struct err *e = store_ask(m->in, &get, select, STORE_INT(from));

	if (!e)
		e = store_prepare(m->out, insert, &put);
	while (store_next(m->in, get, &e)) {
		sqlite3_bind_int64(put, 1, to);
		bind_columns(put, 2, get, 1);
		e = store_run(m->out, put);
		if (!e && check_row)
			e = check_row(m, get);
	}
	return e;
}

static struct err *check_evidence(struct merge *m, sqlite3_stmt *row)
{
	int64_t pid = sqlite3_column_int64(row, 1);

	if (pid < 0 || pid > INT_MAX || sqlite3_column_int64(row, 3) < 0)
		return store_damaged(m->in, "a piece of evidence has an impossible pid or length");
	return NULL;
}

static struct err *copy_evidence(struct merge *m, sqlite3_stmt *snapshot)
{
	return copy_rows(m,
			 "SELECT rowid, pid, name, len, error, data FROM evidence"
			 " WHERE snapshot_id = ? ORDER BY rowid",
			 sqlite3_column_int64(snapshot, 0),
			 "INSERT INTO evidence (snapshot_id, pid, name, len, error, data)"
			 " VALUES (?, ?, ?, ?, ?, ?)",
			 sqlite3_last_insert_rowid(m->out->db), check_evidence);
}

static struct err *copy_probe(struct merge *m, int64_t run_id, const struct probe_record *r, int64_t *ret_id)
{
	int64_t out_run = 0;
	struct err *e = store_query_int(m->out, &out_run, "SELECT out_id FROM origin_run WHERE id = ?",
					STORE_INT(run_id));

	if (!e && !out_run)
		e = store_damaged(m->in, "a probe belongs to no run");
	if (!e)
		e = store_insert_probe(m->out, out_run, r, ret_id);
	if (!e)
		e = copy_rows(m, "SELECT probe_id, columns, rows, data FROM series WHERE probe_id = ?", r->id,
			      "INSERT INTO series (probe_id, columns, rows, data) VALUES (?, ?, ?, ?)",
			      *ret_id, NULL);
	if (!e)
		e = copy_rows(m, "SELECT id, name FROM main.snapshot WHERE probe_id = ? ORDER BY id", r->id,
			      "INSERT INTO main.snapshot (probe_id, name) VALUES (?, ?)", *ret_id,
			      copy_evidence);
	return e;
}

static struct err *merge_record(struct merge *m, int64_t run_id, const struct probe_record *r)
{
	int64_t id = 0;
	struct err *e = store_query_int(
		m->out, &id,
		"SELECT p.id FROM origin_probe o JOIN probe p ON p.id = o.id"
		" WHERE o.cell_key = ? AND o.replicate = ? AND o.seq = ? AND o.started_s = ?"
		" AND p.kind = ? AND p.z_kib = ? AND p.seed = ? AND p.outcome = ?",
		STORE_TEXT(r->cell_key), STORE_INT(r->replicate), STORE_INT(r->seq), STORE_REAL(r->started_s),
		/* A seed may be any 64 bits. */
		STORE_TEXT(probe_kind_name(r->kind)), STORE_U64(r->z_kib), STORE_INT(r->seed),
		STORE_TEXT(outcome_name(r->outcome)));

	if (!e && id)
		m->result->repeated++;
	else if (!e)
		e = copy_probe(m, run_id, r, &id);
	return e ? e
		 : store_change(m->out, "INSERT OR IGNORE INTO origin_probe VALUES (?, ?, ?, ?, ?, ?)",
				STORE_INT(id), STORE_INT(m->file), STORE_TEXT(r->cell_key),
				STORE_INT(r->replicate), STORE_INT(r->seq), STORE_REAL(r->started_s));
}

static struct err *merge_probe(struct merge *m, sqlite3_stmt *row)
{
	struct probe_record r = { .id = 0 };
	struct err *e;

	if (sqlite3_column_int(row, 2))
		return store_damaged(m->in, "a probe belongs to no cell");
	e = cancel_requested() ? cancel_error() : store_read_probe(m->in, sqlite3_column_int64(row, 0), &r);
	if (!e)
		e = merge_record(m, sqlite3_column_int64(row, 1), &r);
	probe_record_deinit(&r);
	return e;
}

static struct err *merge_probes(struct merge *m)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_prepare(m->in,
				      "SELECT p.id, p.run_id, c.key IS NULL FROM probe p"
				      " LEFT JOIN cell c ON c.key = p.cell_key ORDER BY p.id",
				      &stmt);

	while (store_next(m->in, stmt, &e))
		e = merge_probe(m, stmt);
	return e;
}

/* --- When everything is in the result: its order, what contradicts itself, and what is missing */

/** The cells of a plan as they were in it, from offset on, which becomes the first place behind them. */
static struct err *place_plan(struct merge *m, size_t plan, int64_t *offset)
{
	int64_t n = 0;
	struct err *e = store_change(m->out,
				     "UPDATE cell SET position = o.position + ?1 FROM origin_cell o"
				     " WHERE o.key = cell.key AND o.plan = ?2",
				     STORE_INT(*offset), STORE_INT(plan));

	if (!e)
		e = store_query_int(m->out, &n, "SELECT max(position) + 1 FROM origin_cell WHERE plan = ?",
				    STORE_INT(plan));
	*offset += n;
	if (!e && *offset > INT32_MAX)
		e = err_new("the positions of cells in these files are impossible");
	return e;
}

static struct err *put_in_order(struct merge *m)
{
	int64_t offset = 0, last = 0;
	struct err *e = NULL;

	for (size_t plan = 0; !e && plan < m->plans_n; plan++)
		e = place_plan(m, plan, &offset);
	if (!e)
		e = store_query_int(m->out, &last, "SELECT max(id) FROM run");
	if (e || last == m->last_run_id)
		return e;
	/* Its probes are without their run for a moment. */
	e = store_exec(m->out, "PRAGMA defer_foreign_keys=ON");
	if (!e)
		e = store_change(m->out, "UPDATE run SET id = ? WHERE id = ?", STORE_INT(last + 1),
				 STORE_INT(m->last_run_id));
	if (!e)
		e = store_change(m->out, "UPDATE probe SET run_id = ? WHERE run_id = ?", STORE_INT(last + 1),
				 STORE_INT(m->last_run_id));
	return e;
}

/*
 * Two files agree on a replicate when one has all answers that the other has: it is the same search, or the
 * same probe, and one file was copied before it went on. A file that has failures only does not contradict
 * anybody. The first sight of both files is by number, so each pair is told once.
 */
static const char differing_answers[] =
	"WITH answer AS MATERIALIZED ("
	"  SELECT p.id, p.cell_key, p.replicate, o.file FROM probe p JOIN origin_probe o ON o.id = p.id"
	"  WHERE p.outcome IN ('onset', 'no-onset')),"
	" shared AS MATERIALIZED ("
	"  SELECT cell_key, replicate FROM answer GROUP BY cell_key, replicate"
	"  HAVING min(file) <> max(file)),"
	" side AS MATERIALIZED ("
	"  SELECT DISTINCT a.cell_key, a.replicate, a.file FROM answer a"
	"  JOIN shared s ON s.cell_key = a.cell_key AND s.replicate = a.replicate)"
	" SELECT c.key, c.threshold_key, c.position, c.replicates, c.identity, a.replicate, a.file, b.file"
	" FROM side a JOIN side b ON a.cell_key = b.cell_key AND a.replicate = b.replicate AND a.file < "
	"b.file"
	" JOIN cell c ON c.key = a.cell_key"
	" WHERE EXISTS (SELECT 1 FROM answer x WHERE x.cell_key = a.cell_key AND x.replicate = a.replicate"
	"   AND x.file = a.file AND NOT EXISTS (SELECT 1 FROM origin_probe o WHERE o.id = x.id AND o.file = "
	"b.file))"
	" AND EXISTS (SELECT 1 FROM answer x WHERE x.cell_key = a.cell_key AND x.replicate = a.replicate"
	"   AND x.file = b.file AND NOT EXISTS (SELECT 1 FROM origin_probe o WHERE o.id = x.id AND o.file = "
	"a.file))"
	" ORDER BY c.position, c.key, a.replicate, a.file, b.file";

static struct err *find_differing_answers(struct merge *m)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_prepare(m->out, differing_answers, &stmt);

	while (store_next(m->out, stmt, &e)) {
		struct cell cell = { .identity = NULL };

		e = store_read_cell(m->out, stmt, &cell);
		if (!e)
			add_conflict(m, &cell, (size_t)sqlite3_column_int64(stmt, 6),
				     (size_t)sqlite3_column_int64(stmt, 7), sqlite3_column_int64(stmt, 5));
		cell_deinit(&cell);
	}
	return e;
}

/** The shards that the runs of one plan were of. */
struct shards {
	unsigned n; /**< 0: none yet */
	bool is_there[SHARDS_MAX];
	bool is_whole; /**< some run was of the whole plan, or there are shards of different sizes */
};

static void add_shard(struct shards *s, const char *audit_text)
{
	cleanup(cleanup_json_) json_t *audit = json_loads(audit_text, JSON_REJECT_DUPLICATES, NULL);
	const char *text = json_string_value(json_object_get(audit, "shard"));
	struct shard shard;
	struct err *e = text ? shard_parse(text, &shard) : err_new("no shard");

	if (e || (s->n && s->n != shard.n)) {
		s->is_whole = true;
	} else {
		s->n = shard.n;
		s->is_there[shard.k - 1] = true;
	}
	err_free(e);
}

static struct err *find_missing_shards(struct merge *m)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_free struct shards *s = xcalloc(1, sizeof(*s));
	cleanup_strbuf struct strbuf missing = STRBUF_INIT;
	struct err *e = store_prepare(m->out,
				      "SELECT audit FROM run WHERE plan_text = (SELECT plan_text FROM run "
				      "ORDER BY id DESC LIMIT 1)",
				      &stmt);

	while (store_next(m->out, stmt, &e)) {
		cleanup_free char *audit = store_column_text(stmt, 0);

		add_shard(s, audit);
	}
	for (unsigned k = 0; !e && !s->is_whole && k < s->n; k++)
		if (!s->is_there[k])
			strbuf_addf(&missing, "%s%u", missing.len ? ", " : "", k + 1);
	if (missing.len) {
		strbuf_addf(&missing, " of %u", s->n);
		m->result->missing_shards = strbuf_steal(&missing);
	}
	return e;
}

static struct err *count(struct merge *m, const char *sql, uint64_t *ret)
{
	int64_t n = 0;
	struct err *e = store_query_int(m->out, &n, sql);

	*ret = (uint64_t)n;
	return e;
}

static struct err *check(struct merge *m)
{
	struct merge_result *r = m->result;
	struct err *e = find_differing_answers(m);

	if (!e)
		e = find_missing_shards(m);
	if (!e)
		e = count(m,
			  "SELECT count(*) FROM cell WHERE is_current AND threshold_key NOT IN"
			  " (SELECT key FROM cell WHERE is_current)",
			  &r->without_z);
	if (!e)
		e = count(m, "SELECT count(*) FROM cell WHERE is_current", &r->cells);
	return e ? e : count(m, "SELECT count(*) FROM probe", &r->probes);
}

/* --- All files */

/** Which of the plans that of the file now read is; it may be a new one. */
static struct err *find_plan(struct merge *m)
{
	cleanup(cleanup_json_) json_t *audit = NULL;
	cleanup_free char *name = NULL, *text = NULL, *status = NULL;
	struct err *e = store_last_run(m->in, &audit, &name, &text, &status);

	if (e)
		return e;
	/* Its run was stopped before it began, and may have left cells: they go with the plan read last. */
	if (!text)
		return NULL;
	for (m->plan = 0; m->plan < m->plans_n; m->plan++)
		if (strcmp(m->plans[m->plan], text) == 0)
			return NULL;
	*array_push(m->plans, m->plans_n, m->plans_cap) = take_ptr(text);
	return NULL;
}

static void tell_writer(const struct store *in)
{
	long pid;

	if (store_has_writer(in, &pid))
		log_note("a run (pid %ld) is writing to '%s': only what it has now is merged", pid, in->name);
}

/* One file at a time is open, so that there may be any number. */
static struct err *merge_file(struct merge *m)
{
	cleanup(cleanup_store_) struct store *in = NULL;
	struct err *e = store_open(m->paths[m->file], STORE_READ, &in);

	if (e)
		return e;
	tell_writer(in);
	m->in = in;
	e = find_plan(m);
	if (!e)
		e = merge_runs(m);
	if (!e)
		e = merge_cells(m);
	if (!e)
		e = merge_probes(m);
	m->in = NULL;
	return e;
}

static struct err *merge_files(struct merge *m, size_t n)
{
	struct err *e = create_tables(m);

	for (m->file = 0; !e && m->file < n; m->file++)
		e = merge_file(m);
	if (!e)
		e = put_in_order(m);
	if (!e)
		e = check(m);
	m->result->plans = m->plans_n;
	return e;
}

/** Merges into a new results file of that path, which messages call out. */
static struct err *merge_to(const char *path, const char *out, const char *const *paths, size_t n,
			    struct merge_result *result)
{
	cleanup(cleanup_store_) struct store *store = NULL;
	struct merge m = { .paths = paths, .result = result };
	struct err *e = store_open(path, STORE_WRITE, &store);

	if (e)
		return e;
	free(store->name);
	store->name = xstrdup(out);
	m.out = store;
	/* A part of it is removed by whoever finds it: it needs no journal, and waits for the disk once. */
	e = store_exec(store, "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; BEGIN IMMEDIATE");
	if (!e)
		e = store_end_transaction(store, merge_files(&m, n));
	for (size_t i = 0; i < m.plans_n; i++)
		free(m.plans[i]);
	free(m.plans);
	return e;
}

/** Fails when the name is taken, or one that SQLite would take for a part of it. */
static struct err *check_is_new(const char *out)
{
	static const char *const suffixes[] = { "", "-wal", "-journal", "-lock" };

	for (size_t i = 0; i < COUNT(suffixes); i++) {
		cleanup_free char *path = xasprintf("%s%s", out, suffixes[i]);
		struct stat st;

		if (lstat(path, &st) == 0)
			return err_new_kind(
				ERR_USAGE,
				"'%s' already exists, and merge makes a new file: give another name, or move it away",
				path);
	}
	return NULL;
}

/** What SQLite could not bring into the file, as on a full disk, it leaves beside it. */
static void remove_all(const char *path)
{
	cleanup_free char *wal = xasprintf("%s-wal", path), *shm = xasprintf("%s-shm", path);

	unlink(wal);
	unlink(shm);
	unlink(path);
}

struct err *store_merge(const char *out, const char *const *paths, size_t n, struct merge_result *ret)
{
	cleanup_free char *path = xasprintf("%s.XXXXXX", out);
	struct err *e = check_is_new(out);

	*ret = (struct merge_result){ 0 };
	if (e)
		return e;

	int fd = mkstemp(path);

	if (fd < 0)
		return err_errno(errno, "cannot create '%s'", out);
	close(fd);

	cleanup_free char *wal = xasprintf("%s-wal", path);

	e = merge_to(path, out, paths, n, ret);
	if (!e && file_exists(wal))
		e = err_new("cannot write '%s': the disk is full", out);
	if (!e && !ret->conflicts_n)
		e = file_publish(path, out);
	/* Nothing is left to remove when it has its name. */
	remove_all(path);
	return e;
}
