/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/query/query.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/query/query-internal.h"

static bool is_blank(const char *sql)
{
	return sql[strspn(sql, " \t\r\n;")] == '\0';
}

/* Of the other statements the guard lets some pass that do nothing in an empty database. */
static bool is_select(sqlite3_stmt *stmt)
{
	return sqlite3_stmt_readonly(stmt) && !sqlite3_stmt_isexplain(stmt) && sqlite3_column_count(stmt) > 0;
}

static struct err *check_columns(const struct query_text *text, sqlite3_stmt *stmt)
{
	if (sqlite3_column_count(stmt) != 2 || sqlite3_stricmp(sqlite3_column_name(stmt, 0), "snapshot_id") ||
	    sqlite3_stricmp(sqlite3_column_name(stmt, 1), "y_kib"))
		return query_wrong(text, "must give exactly the columns snapshot_id, y_kib");
	return NULL;
}

/* One SELECT with the two columns. What it may read, the guard decides meanwhile. */
static struct err *prepare(struct query *q, const struct query_text *text, sqlite3_stmt **ret)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	const char *tail = "";

	query_guard_start(&q->guard);
	if (sqlite3_prepare_v2(q->db, text->sql, -1, &stmt, &tail) != SQLITE_OK)
		return query_sqlite_error(q, text);
	if (!stmt || !is_blank(tail) || !is_select(stmt))
		return query_wrong(text, "must be one SELECT");
	if (sqlite3_bind_parameter_count(stmt))
		return query_wrong(text, "has a parameter ('%s'), which nothing sets",
				   sqlite3_bind_parameter_name(stmt, 1));

	struct err *e = check_columns(text, stmt);

	if (e)
		return e;
	*ret = take_ptr(stmt);
	return NULL;
}

struct err *query_open(const struct views *views, struct query **ret)
{
	cleanup(cleanup_query_) struct query *q = xcalloc(1, sizeof(*q));
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX;

	q->views = views;
	if (sqlite3_open_v2(":memory:", &q->db, flags, NULL) != SQLITE_OK ||
	    sqlite3_exec(q->db, "PRAGMA temp_store = MEMORY", NULL, NULL, NULL) != SQLITE_OK)
		return err_new("cannot open a database in memory: %s", sqlite3_errmsg(q->db));

	struct err *e = query_tables_create(q->db, views);

	if (e)
		return e;
	query_guard_install(&q->guard, q->db);
	*ret = take_ptr(q);
	return NULL;
}

void query_close(struct query *q)
{
	if (!q)
		return;
	sqlite3_close(q->db);
	query_guard_deinit(&q->guard);
	free(q);
}

struct err *query_check(const struct query_text *text, unsigned *set)
{
	cleanup(cleanup_views_) struct views *none = views_create(VIEWS_ALL);
	cleanup(cleanup_query_) struct query *q = NULL;
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = query_open(none, &q);

	if (!e)
		e = prepare(q, text, &stmt);
	if (e)
		return e;
	*set |= q->guard.read | VIEW_BIT(VIEW_SNAPSHOT);
	return NULL;
}

/* --- Running a metric */

struct run {
	struct query *q;
	const struct query_text *text;
	sqlite3_stmt *stmt;
	bool *is_seen; /* of each row of the view snapshot: the query gave a row for it */
	struct metric_value *values;
	size_t n, cap;
};

/* The snapshot a row speaks of, which no row did before, as a row of that view. */
static struct err *take_snapshot(struct run *r, size_t *ret_row)
{
	int64_t id = sqlite3_column_int64(r->stmt, 0);
	size_t end;

	if (sqlite3_column_type(r->stmt, 0) != SQLITE_INTEGER)
		return query_wrong(r->text, "gives a snapshot_id that is no integer");
	if (!views_range(r->q->views, VIEW_SNAPSHOT, id, ret_row, &end))
		return query_wrong(r->text, "gives snapshot_id %lld, which there is not", (long long)id);
	if (r->is_seen[*ret_row])
		return query_wrong(r->text,
				   "gives two values for snapshot %lld; is 'GROUP BY snapshot_id' missing?",
				   (long long)id);
	r->is_seen[*ret_row] = true;
	return NULL;
}

static struct err *take_row(struct run *r)
{
	int type = sqlite3_column_type(r->stmt, 1);
	size_t row;
	struct err *e = take_snapshot(r, &row);

	if (e || type == SQLITE_NULL)
		return e;
	if (type != SQLITE_INTEGER && type != SQLITE_FLOAT)
		return query_wrong(r->text, "gives a y_kib that is no number");

	double y_kib = sqlite3_column_double(r->stmt, 1);

	if (!isfinite(y_kib))
		return query_wrong(r->text, "gives an infinite y_kib");

	const int64_t *cells = views_row(r->q->views, VIEW_SNAPSHOT, row);
	struct metric_value *v = array_push(r->values, r->n, r->cap);

	v->snapshot_id = cells[0];
	v->probe_id = cells[view_column_find(VIEW_SNAPSHOT, "probe_id")];
	v->y_kib = y_kib;
	v->is_incomplete = cells[view_column_find(VIEW_SNAPSHOT, "is_incomplete")];
	return NULL;
}

static int by_snapshot(const void *a, const void *b)
{
	const struct metric_value *x = a, *y = b;

	return (x->snapshot_id > y->snapshot_id) - (x->snapshot_id < y->snapshot_id);
}

static struct err *take_rows(struct run *r)
{
	for (;;) {
		int rc = sqlite3_step(r->stmt);

		if (rc == SQLITE_DONE)
			return NULL;
		if (rc != SQLITE_ROW)
			return query_sqlite_error(r->q, r->text);

		struct err *e = take_row(r);

		if (e)
			return e;
	}
}

struct err *query_metric(struct query *q, const struct query_text *text, struct metric_value **ret,
			 size_t *ret_n)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = prepare(q, text, &stmt);

	if (e)
		return e;

	cleanup_free bool *is_seen = xcalloc(views_rows(q->views, VIEW_SNAPSHOT), sizeof(*is_seen));
	struct run r = { .q = q, .text = text, .stmt = stmt, .is_seen = is_seen };

	e = take_rows(&r);
	if (e) {
		free(r.values);
		return e;
	}
	if (r.n)
		qsort(r.values, r.n, sizeof(*r.values), by_snapshot);
	*ret = r.values;
	*ret_n = r.n;
	return NULL;
}
