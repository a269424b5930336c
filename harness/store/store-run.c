/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/clock.h"
#include "harness/cell/cell.h"
#include "harness/store/store-db.h"

/* Far more than anybody has time for; a bound for those who count them one by one. */
#define REPLICATES_MAX 100000

struct err *store_begin_run(struct store *store, const json_t *audit, const char *plan_name,
			    const char *plan_text, int64_t *ret_run_id)
{
	cleanup_free char *text = json_dumps(audit, JSON_COMPACT | JSON_SORT_KEYS);

	if (!text)
		return err_new("the audit of this run cannot be written as JSON");

	struct err *e = store_exec(store, "BEGIN IMMEDIATE");

	if (e)
		return e;
	/* We hold the lock, so a run that is still called running is not. */
	e = store_exec(store, "UPDATE run SET status = 'died' WHERE status = 'running'");
	if (!e)
		e = store_change(
			store,
			"INSERT INTO run (started_s, status, tool_version, pid, audit, plan_name, plan_text)"
			" VALUES (?, 'running', ?, ?, ?, ?, ?)",
			STORE_REAL(clock_unix_s()), STORE_TEXT(SWAPCAL_VERSION), STORE_INT(getpid()),
			STORE_TEXT(text), STORE_TEXT(plan_name), STORE_TEXT(plan_text));

	int64_t id = sqlite3_last_insert_rowid(store->db);

	e = store_end_transaction(store, e);
	if (!e)
		*ret_run_id = id;
	return e;
}

struct err *store_end_run(struct store *store, int64_t run_id, const char *status)
{
	return store_change(store, "UPDATE run SET status = ?, ended_s = ? WHERE id = ?", STORE_TEXT(status),
			    STORE_REAL(clock_unix_s()), STORE_INT(run_id));
}

struct err *store_last_run(struct store *store, json_t **ret_audit, char **ret_plan_name,
			   char **ret_plan_text, char **ret_status)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	bool row;
	long pid;
	struct err *e = store_prepare(
		store, "SELECT audit, plan_name, plan_text, status FROM run ORDER BY id DESC LIMIT 1", &stmt);

	if (!e)
		e = store_step(store, stmt, &row);
	if (e)
		return e;
	if (!row) {
		*ret_audit = NULL;
		*ret_plan_name = *ret_plan_text = *ret_status = NULL;
		return NULL;
	}

	cleanup_free char *text = store_column_text(stmt, 0);
	json_t *audit = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(audit)) {
		json_decref(audit);
		return store_damaged(store, "the audit of its last run is not a JSON object");
	}
	*ret_audit = audit;
	*ret_plan_name = store_column_text(stmt, 1);
	*ret_plan_text = store_column_text(stmt, 2);
	*ret_status = store_column_text(stmt, 3);
	if (strcmp(*ret_status, "running") == 0 && !store_has_writer(store, &pid)) {
		free(*ret_status);
		*ret_status = xstrdup("died");
	}
	return NULL;
}

struct err *store_put_cell(struct store *store, const struct cell *cell)
{
	cleanup_free char *identity = json_dumps(cell->identity, JSON_COMPACT | JSON_SORT_KEYS);

	if (!identity)
		return err_new("the identity of cell %s cannot be written as JSON", cell->key);
	return store_change(
		store,
		"INSERT INTO cell (key, threshold_key, position, replicates, is_current, identity)"
		" VALUES (?, ?, ?, ?, 1, ?) ON CONFLICT (key) DO UPDATE SET"
		" threshold_key = excluded.threshold_key, position = excluded.position,"
		" replicates = excluded.replicates, identity = excluded.identity, is_current = 1",
		STORE_TEXT(cell->key), STORE_TEXT(cell->threshold_key), STORE_INT(cell->position),
		STORE_INT(cell->replicates), STORE_TEXT(identity));
}

static struct err *set_cells(struct store *store, const struct cell *cells, size_t n,
			     struct store_change *ret)
{
	int64_t still = 0;
	struct err *e = NULL;

	for (size_t i = 0; !e && i < n; i++) {
		int64_t is_there = 0;

		e = store_query_int(store, &is_there, "SELECT count(*) FROM cell WHERE key = ?",
				    STORE_TEXT(cells[i].key));
		ret->kept += (size_t)is_there;
	}
	/* Cells that were current get a mark, which the plan's lose again: the rest can be counted. */
	if (!e)
		e = store_exec(store, "UPDATE cell SET is_current = 2 WHERE is_current");
	for (size_t i = 0; !e && i < n; i++)
		e = store_put_cell(store, &cells[i]);
	if (!e)
		e = store_query_int(store, &still, "SELECT count(*) FROM cell WHERE is_current = 2");
	if (!e)
		e = store_exec(store, "UPDATE cell SET is_current = 0 WHERE is_current = 2");
	ret->dropped = (size_t)still;
	return e;
}

struct err *store_set_cells(struct store *store, const struct cell *cells, size_t n, struct store_change *ret)
{
	struct store_change change = { 0 };
	struct err *e = store_exec(store, "BEGIN IMMEDIATE");

	if (!e)
		e = store_end_transaction(store, set_cells(store, cells, n, &change));
	if (!e)
		*ret = change;
	return e;
}

struct err *store_read_cell(struct store *store, sqlite3_stmt *stmt, struct cell *cell)
{
	int64_t position = sqlite3_column_int64(stmt, 2), replicates = sqlite3_column_int64(stmt, 3);

	if (!store_column_key(stmt, 0, cell->key) || !store_column_key(stmt, 1, cell->threshold_key))
		return store_damaged(store, "the key of a cell is not a hash");
	if (position < 0 || position > INT32_MAX || replicates < 0 || replicates > REPLICATES_MAX)
		return store_damaged(store, "a cell has an impossible position or number of replicates");
	cell->position = (unsigned)position;
	cell->replicates = (unsigned)replicates;

	cleanup_free char *identity = store_column_text(stmt, 4);

	cell->identity = json_loads(identity, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(cell->identity))
		return store_damaged(store, "the identity of a cell is not a JSON object");

	struct err *e = cell_decode(cell);
	struct err *damaged = e ? store_damaged(store, err_message(e)) : NULL;

	err_free(e);
	return damaged;
}

struct err *store_cells(struct store *store, struct cell **ret, size_t *ret_n)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct cell *cells = NULL;
	size_t n = 0, cap = 0;
	struct err *e = store_prepare(store,
				      "SELECT key, threshold_key, position, replicates, identity FROM cell"
				      " WHERE is_current ORDER BY position, key",
				      &stmt);

	while (store_next(store, stmt, &e))
		e = store_read_cell(store, stmt, array_push(cells, n, cap));
	if (e) {
		store_cells_free(cells, n);
		return e;
	}
	*ret = cells;
	*ret_n = n;
	return NULL;
}

void store_cells_free(struct cell *cells, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cell_deinit(&cells[i]);
	free(cells);
}
