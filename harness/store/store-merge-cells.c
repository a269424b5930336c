/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/store/store-merge-internal.h"

/*
 * Runs and cells from one file to the result. What is judged later (cells, probes, audits) is checked as a
 * reader checks it, so that nothing wrong gets a second home; evidence is checked when it is unpacked, and is
 * copied as it is.
 */

struct err *merge_tables_create(struct merge *m)
{
	return store_exec(m->out,
			  "CREATE TEMP TABLE origin_cell (key TEXT PRIMARY KEY, file INTEGER, plan INTEGER,"
			  " position INTEGER) STRICT;"
			  "CREATE TEMP TABLE origin_probe (id INTEGER, file INTEGER, PRIMARY KEY (id, file))"
			  " STRICT, WITHOUT ROWID;"
			  "CREATE TEMP TABLE known_probe (cell_key TEXT, replicate INTEGER, seq INTEGER,"
			  " started_s REAL, id INTEGER,"
			  " PRIMARY KEY (cell_key, replicate, seq, started_s, id)) STRICT, WITHOUT ROWID;"
			  "CREATE TEMP TABLE origin_run (id INTEGER PRIMARY KEY, out_id INTEGER) STRICT");
}

void merge_bind_columns(sqlite3_stmt *to, int index, sqlite3_stmt *from, int column, int n)
{
	for (int i = 0; i < n; i++)
		sqlite3_bind_value(to, index + i, sqlite3_column_value(from, column + i));
}

struct err *merge_run_with_ids(struct store *store, const char *sql, int64_t a, int64_t b)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_prepare(store, sql, &stmt);

	if (e)
		return e;
	sqlite3_bind_int64(stmt, 1, a);
	sqlite3_bind_int64(stmt, 2, b);
	return store_run(store, stmt);
}

#define RUN_COLUMNS 8

/** A statement on the result that has the columns of a row of run, but its id, as its first parameters. */
static struct err *prepare_with_run(struct merge *m, const char *sql, sqlite3_stmt *row, sqlite3_stmt **ret)
{
	struct err *e = store_prepare(m->out, sql, ret);

	if (!e)
		merge_bind_columns(*ret, 1, row, 1, RUN_COLUMNS);
	return e;
}

/** The run of a row in the result; 0 when it is not there. */
static struct err *find_run(struct merge *m, sqlite3_stmt *row, int64_t *ret)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	bool found = false;
	struct err *e = prepare_with_run(m,
					 "SELECT id FROM run WHERE started_s = ?1 AND tool_version = ?4 AND"
					 " pid = ?5 AND audit = ?6 AND plan_name = ?7 AND plan_text = ?8",
					 row, &stmt);

	if (!e)
		e = store_step(m->out, stmt, &found);
	if (!e)
		*ret = found ? sqlite3_column_int64(stmt, 0) : 0;
	return e;
}

/**
 * One file may have been copied before the run ended, or before it was found dead; the result has what is
 * known last.
 */
static struct err *update_run(struct merge *m, sqlite3_stmt *row, int64_t id)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = prepare_with_run(m,
					 "UPDATE run SET ended_s = ?2, status = ?3 WHERE id = ?9 AND"
					 " ended_s IS NULL AND (?2 IS NOT NULL OR status = 'running')",
					 row, &stmt);

	if (e)
		return e;
	sqlite3_bind_int64(stmt, RUN_COLUMNS + 1, id);
	return store_run(m->out, stmt);
}

static struct err *insert_run(struct merge *m, sqlite3_stmt *row, int64_t *ret)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e =
		prepare_with_run(m,
				 "INSERT INTO run (started_s, ended_s, status, tool_version, pid, audit,"
				 " plan_name, plan_text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
				 row, &stmt);

	if (!e)
		e = store_run(m->out, stmt);
	if (!e)
		*ret = sqlite3_last_insert_rowid(m->out->db);
	return e;
}

static struct err *check_audit(struct merge *m, sqlite3_stmt *row)
{
	cleanup_free char *text = store_column_text(row, 6);
	cleanup(cleanup_json_) json_t *audit = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	return json_is_object(audit) ? NULL : store_damaged(m->in, "the audit of a run is no JSON object");
}

static struct err *merge_run(struct merge *m, sqlite3_stmt *row, int64_t *ret_id)
{
	struct err *e = check_audit(m, row);

	if (!e)
		e = find_run(m, row, ret_id);
	if (e)
		return e;
	e = *ret_id ? update_run(m, row, *ret_id) : insert_run(m, row, ret_id);
	if (!e)
		e = merge_run_with_ids(m->out, "INSERT INTO origin_run VALUES (?, ?)",
				       sqlite3_column_int64(row, 0), *ret_id);
	return e;
}

struct err *merge_runs(struct merge *m)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int64_t id = 0;
	struct err *e = store_exec(m->out, "DELETE FROM origin_run");

	if (!e)
		e = store_prepare(m->in,
				  "SELECT id, started_s, ended_s, status, tool_version, pid, audit,"
				  " plan_name, plan_text FROM run ORDER BY id",
				  &stmt);
	for (bool row = true; !e && row;) {
		e = store_step(m->in, stmt, &row);
		if (!e && row)
			e = merge_run(m, stmt, &id);
	}
	if (!e && !m->last_run_id)
		m->last_run_id = id;
	return e;
}

static struct err *insert_cell(struct merge *m, sqlite3_stmt *row, const struct cell *cell)
{
	cleanup_stmt sqlite3_stmt *put = NULL, *origin = NULL;
	struct err *e = store_prepare(m->out,
				      "INSERT INTO cell (key, threshold_key, position, replicates, identity,"
				      " is_current) VALUES (?, ?, ?, ?, ?, ?)",
				      &put);

	if (!e)
		e = store_prepare(m->out, "INSERT INTO origin_cell VALUES (?, ?, ?, ?)", &origin);
	if (e)
		return e;

	cleanup_free char *identity = store_column_text(row, 4);

	store_bind_text(put, 1, cell->key);
	store_bind_text(put, 2, cell->threshold_key);
	sqlite3_bind_int64(put, 3, cell->position);
	sqlite3_bind_int64(put, 4, cell->replicates);
	store_bind_text(put, 5, identity);
	sqlite3_bind_int64(put, 6, sqlite3_column_int(row, 5));
	e = store_run(m->out, put);
	store_bind_text(origin, 1, cell->key);
	sqlite3_bind_int64(origin, 2, (int64_t)m->file);
	sqlite3_bind_int64(origin, 3, (int64_t)m->plan);
	sqlite3_bind_int64(origin, 4, cell->position);
	return e ? e : store_run(m->out, origin);
}

/** The current one of the two says what the plan wants of the cell, and where it is. */
static struct err *update_cell(struct merge *m, const struct cell *cell, bool is_current, bool was_current)
{
	cleanup_stmt sqlite3_stmt *update = NULL, *origin = NULL;
	struct err *e;

	if (was_current && !is_current)
		return NULL;
	e = store_prepare(m->out,
			  was_current == is_current
				  ? "UPDATE cell SET replicates = max(replicates, ?2) WHERE key = ?1"
				  : "UPDATE cell SET replicates = ?2, threshold_key = ?3, is_current = 1"
				    " WHERE key = ?1",
			  &update);
	if (!e)
		e = store_prepare(m->out, "UPDATE origin_cell SET plan = ?2, position = ?3 WHERE key = ?1",
				  &origin);
	if (e)
		return e;
	store_bind_text(update, 1, cell->key);
	sqlite3_bind_int64(update, 2, cell->replicates);
	if (was_current != is_current)
		store_bind_text(update, 3, cell->threshold_key);
	e = store_run(m->out, update);
	if (e || was_current == is_current)
		return e;
	store_bind_text(origin, 1, cell->key);
	sqlite3_bind_int64(origin, 2, (int64_t)m->plan);
	sqlite3_bind_int64(origin, 3, cell->position);
	return store_run(m->out, origin);
}

/** A cell of the file now read, beside the one of the same key in the result. */
static struct err *join_cell(struct merge *m, const struct cell *cell, bool is_current, sqlite3_stmt *found)
{
	struct cell other = { .identity = NULL };
	struct err *e = store_read_cell(m->out, found, &other);
	bool was_current = sqlite3_column_int(found, 5) != 0;
	size_t first = (size_t)sqlite3_column_int64(found, 6);

	if (!e && !json_equal(cell->identity, other.identity))
		merge_add_conflict(m, cell, first, m->file, -1);
	cell_deinit(&other);
	return e ? e : update_cell(m, cell, is_current, was_current);
}

static struct err *merge_cell(struct merge *m, sqlite3_stmt *row)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct cell cell = { .identity = NULL };
	bool found = false;
	struct err *e = store_read_cell(m->in, row, &cell);

	if (!e)
		e = store_prepare(m->out,
				  "SELECT c.key, c.threshold_key, c.position, c.replicates, c.identity,"
				  " c.is_current, o.file FROM cell c JOIN origin_cell o ON o.key = c.key"
				  " WHERE c.key = ?",
				  &stmt);
	if (!e) {
		store_bind_text(stmt, 1, cell.key);
		e = store_step(m->out, stmt, &found);
	}
	if (!e && found)
		e = join_cell(m, &cell, sqlite3_column_int(row, 5) != 0, stmt);
	else if (!e)
		e = insert_cell(m, row, &cell);
	cell_deinit(&cell);
	return e;
}

struct err *merge_cells(struct merge *m)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_prepare(m->in,
				      "SELECT key, threshold_key, position, replicates, identity,"
				      " is_current <> 0 FROM cell ORDER BY position, key",
				      &stmt);

	for (bool row = true; !e && row;) {
		e = store_step(m->in, stmt, &row);
		if (!e && row)
			e = merge_cell(m, stmt);
	}
	return e;
}
