/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/store-db.h"

static bool is_blank(const char *sql)
{
	return sql[strspn(sql, " \t\r\n;")] == '\0';
}

/* One SELECT with the two columns, which only reads. */
static struct err *prepare_query(struct store *store, const char *sql, sqlite3_stmt **ret)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	const char *tail = "";

	if (sqlite3_prepare_v2(store->db, sql, -1, &stmt, &tail) != SQLITE_OK)
		return err_new_kind(ERR_USAGE, "query: %s", sqlite3_errmsg(store->db));
	if (!stmt || !is_blank(tail))
		return err_new_kind(ERR_USAGE, "query: must be one SELECT");
	if (!sqlite3_stmt_readonly(stmt))
		return err_new_kind(ERR_USAGE, "query: must not change anything");
	if (sqlite3_column_count(stmt) != 2 || strcmp(sqlite3_column_name(stmt, 0), "snapshot_id") != 0 ||
	    strcmp(sqlite3_column_name(stmt, 1), "y_kib") != 0)
		return err_new_kind(ERR_USAGE, "query: must give exactly the columns snapshot_id, y_kib");
	*ret = take_ptr(stmt);
	return NULL;
}

/* The snapshot a row of the query speaks of. */
static struct err *find_snapshot(struct store *store, sqlite3_stmt *snapshot, int64_t id,
				 struct metric_value *v)
{
	bool row;

	sqlite3_reset(snapshot);
	sqlite3_bind_int64(snapshot, 1, id);

	struct err *e = store_step(store, snapshot, &row);

	if (e)
		return e;
	if (!row)
		return err_new_kind(ERR_USAGE, "query: gives snapshot_id %lld, which there is not",
				    (long long)id);
	v->snapshot_id = id;
	v->probe_id = sqlite3_column_int64(snapshot, 0);
	v->is_incomplete = sqlite3_column_int(snapshot, 1);
	return NULL;
}

static struct err *read_value(struct store *store, sqlite3_stmt *query, sqlite3_stmt *snapshot,
			      struct metric_value *v)
{
	int type = sqlite3_column_type(query, 1);

	if (sqlite3_column_type(query, 0) != SQLITE_INTEGER)
		return err_new_kind(ERR_USAGE, "query: gives a snapshot_id that is no integer");
	if (type != SQLITE_INTEGER && type != SQLITE_FLOAT)
		return err_new_kind(ERR_USAGE, "query: gives a y_kib that is no number");
	v->y_kib = sqlite3_column_double(query, 1);
	if (!isfinite(v->y_kib))
		return err_new_kind(ERR_USAGE, "query: gives an infinite y_kib");
	return find_snapshot(store, snapshot, sqlite3_column_int64(query, 0), v);
}

static int by_snapshot(const void *a, const void *b)
{
	const struct metric_value *x = a, *y = b;

	return (x->snapshot_id > y->snapshot_id) - (x->snapshot_id < y->snapshot_id);
}

static struct err *sort_values(struct metric_value *values, size_t n)
{
	if (n)
		qsort(values, n, sizeof(*values), by_snapshot);
	for (size_t i = 1; i < n; i++)
		if (values[i].snapshot_id == values[i - 1].snapshot_id)
			return err_new_kind(ERR_USAGE, "query: gives two values for snapshot %lld",
					    (long long)values[i].snapshot_id);
	return NULL;
}

struct err *store_metric(struct store *store, const char *sql, struct metric_value **ret, size_t *ret_n)
{
	cleanup_stmt sqlite3_stmt *query = NULL, *snapshot = NULL;
	cleanup_free struct metric_value *values = NULL;
	size_t n = 0, cap = 0;
	struct err *e = store_prepare(
		store, "SELECT probe_id, is_incomplete FROM temp.snapshot WHERE snapshot_id = ?", &snapshot);

	if (!e)
		e = prepare_query(store, sql, &query);
	for (bool row = true; !e && row;) {
		e = store_step(store, query, &row);
		if (!e && row && sqlite3_column_type(query, 1) != SQLITE_NULL)
			e = read_value(store, query, snapshot, array_push(values, n, cap));
	}
	if (!e)
		e = sort_values(values, n);
	if (e)
		return e;
	*ret = take_ptr(values);
	*ret_n = n;
	return NULL;
}
