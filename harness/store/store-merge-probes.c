/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/cancel.h"
#include "harness/store/store-merge-internal.h"

/*
 * Probes, with what hangs off them, from one file to the result. Series and evidence stay compressed: whoever
 * unpacks them checks them.
 */

/** What finds a probe in a file of many: columns of known_probe. */
static void bind_known(sqlite3_stmt *stmt, const struct probe_record *r)
{
	store_bind_text(stmt, 1, r->cell_key);
	sqlite3_bind_int64(stmt, 2, r->replicate);
	sqlite3_bind_int64(stmt, 3, r->seq);
	sqlite3_bind_double(stmt, 4, r->started_s);
}

/** The same probe in the result; 0 when it is not there. */
static struct err *find_probe(struct merge *m, const struct probe_record *r, int64_t *ret)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	bool found = false;
	struct err *e = store_prepare(m->out,
				      "SELECT p.id FROM known_probe k JOIN probe p ON p.id = k.id"
				      " WHERE k.cell_key = ? AND k.replicate = ? AND k.seq = ?"
				      " AND k.started_s = ? AND p.kind = ? AND p.z_kib = ? AND p.seed = ?"
				      " AND p.outcome = ?",
				      &stmt);

	if (e)
		return e;
	bind_known(stmt, r);
	store_bind_text(stmt, 5, probe_kind_name(r->kind));
	store_bind_u64(stmt, 6, r->z_kib);
	/* A seed may be any 64 bits. */
	sqlite3_bind_int64(stmt, 7, (int64_t)r->seed);
	store_bind_text(stmt, 8, outcome_name(r->outcome));
	e = store_step(m->out, stmt, &found);
	if (!e)
		*ret = found ? sqlite3_column_int64(stmt, 0) : 0;
	return e;
}

static struct err *remember_probe(struct merge *m, const struct probe_record *r, int64_t id)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_prepare(m->out, "INSERT INTO known_probe VALUES (?, ?, ?, ?, ?)", &stmt);

	if (e)
		return e;
	bind_known(stmt, r);
	sqlite3_bind_int64(stmt, 5, id);
	return store_run(m->out, stmt);
}

static struct err *copy_series(struct merge *m, int64_t from, int64_t to)
{
	cleanup_stmt sqlite3_stmt *get = NULL, *put = NULL;
	bool row = false;
	struct err *e =
		store_prepare(m->in, "SELECT columns, rows, data FROM series WHERE probe_id = ?", &get);

	if (!e)
		e = store_prepare(m->out,
				  "INSERT INTO series (probe_id, columns, rows, data) VALUES (?, ?, ?, ?)",
				  &put);
	if (e)
		return e;
	sqlite3_bind_int64(get, 1, from);
	e = store_step(m->in, get, &row);
	if (e || !row)
		return e;
	sqlite3_bind_int64(put, 1, to);
	merge_bind_columns(put, 2, get, 0, 3);
	return store_run(m->out, put);
}

static struct err *copy_evidence(struct merge *m, int64_t from, int64_t to)
{
	cleanup_stmt sqlite3_stmt *get = NULL, *put = NULL;
	struct err *e = store_prepare(m->in,
				      "SELECT pid, name, len, error, data FROM evidence"
				      " WHERE snapshot_id = ? ORDER BY rowid",
				      &get);

	if (!e)
		e = store_prepare(m->out,
				  "INSERT INTO evidence (snapshot_id, pid, name, len, error, data)"
				  " VALUES (?, ?, ?, ?, ?, ?)",
				  &put);
	if (!e)
		sqlite3_bind_int64(get, 1, from);
	for (bool row = true; !e && row;) {
		e = store_step(m->in, get, &row);
		if (e || !row)
			return e;

		int64_t pid = sqlite3_column_int64(get, 0);

		if (pid < 0 || pid > INT_MAX || sqlite3_column_int64(get, 2) < 0)
			return store_damaged(m->in, "a piece of evidence has an impossible pid or length");
		sqlite3_bind_int64(put, 1, to);
		merge_bind_columns(put, 2, get, 0, 5);
		e = store_run(m->out, put);
	}
	return e;
}

static struct err *copy_snapshots(struct merge *m, int64_t from, int64_t to)
{
	cleanup_stmt sqlite3_stmt *get = NULL, *put = NULL;
	struct err *e = store_prepare(
		m->in, "SELECT id, name FROM main.snapshot WHERE probe_id = ? ORDER BY id", &get);

	if (!e)
		e = store_prepare(m->out, "INSERT INTO main.snapshot (probe_id, name) VALUES (?, ?)", &put);
	if (!e)
		sqlite3_bind_int64(get, 1, from);
	for (bool row = true; !e && row;) {
		e = store_step(m->in, get, &row);
		if (e || !row)
			return e;
		sqlite3_bind_int64(put, 1, to);
		merge_bind_columns(put, 2, get, 1, 1);
		e = store_run(m->out, put);
		if (!e)
			e = copy_evidence(m, sqlite3_column_int64(get, 0),
					  sqlite3_last_insert_rowid(m->out->db));
	}
	return e;
}

static struct err *copy_probe(struct merge *m, int64_t run_id, const struct probe_record *r, int64_t *ret_id)
{
	struct err *e = store_insert_probe(m->out, run_id, r, ret_id);

	if (!e)
		e = remember_probe(m, r, *ret_id);
	if (!e)
		e = copy_series(m, r->id, *ret_id);
	return e ? e : copy_snapshots(m, r->id, *ret_id);
}

/** The run in the result of a run in the file now read. */
static struct err *find_run(struct merge *m, int64_t id, int64_t *ret)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	bool found = false;
	struct err *e = store_prepare(m->out, "SELECT out_id FROM origin_run WHERE id = ?", &stmt);

	if (e)
		return e;
	sqlite3_bind_int64(stmt, 1, id);
	e = store_step(m->out, stmt, &found);
	if (!e && !found)
		e = store_damaged(m->in, "a probe belongs to no run");
	if (!e)
		*ret = sqlite3_column_int64(stmt, 0);
	return e;
}

static struct err *merge_record(struct merge *m, int64_t run_id, const struct probe_record *r)
{
	int64_t out_run = 0, id = 0;
	struct err *e = find_probe(m, r, &id);

	if (e)
		return e;
	if (id) {
		m->result->repeated++;
	} else {
		e = find_run(m, run_id, &out_run);
		if (!e)
			e = copy_probe(m, out_run, r, &id);
	}
	return e ? e
		 : merge_run_with_ids(m->out, "INSERT OR IGNORE INTO origin_probe VALUES (?, ?)", id,
				      (int64_t)m->file);
}

static struct err *merge_probe(struct merge *m, int64_t id, int64_t run_id)
{
	struct probe_record r = { .id = 0 };
	struct err *e = cancel_requested() ? cancel_error() : store_read_probe(m->in, id, &r);

	if (!e)
		e = merge_record(m, run_id, &r);
	probe_record_deinit(&r);
	return e;
}

struct err *merge_probes(struct merge *m)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_prepare(m->in,
				      "SELECT p.id, p.run_id, c.key IS NULL FROM probe p"
				      " LEFT JOIN cell c ON c.key = p.cell_key ORDER BY p.id",
				      &stmt);

	for (bool row = true; !e && row;) {
		e = store_step(m->in, stmt, &row);
		if (e || !row)
			return e;
		if (sqlite3_column_int(stmt, 2))
			return store_damaged(m->in, "a probe belongs to no cell");
		e = merge_probe(m, sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1));
	}
	return e;
}
