/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/store/store-db.h"

/*
 * The evidence of a file. Views are made anew from the kernel's own text each time, so an old file answers a
 * new metric.
 */

/* Making views. */
struct fill {
	struct store *store;
	struct views *views;
	struct blob_reader *reader;
	sqlite3_stmt *baseline; /* the guest's files of a probe's baseline; NULL: no view is made of them */
	bool has_snapshot;      /* one was begun */
	int64_t snapshot_id;
};

/* The content of the piece at hand, which must have the length that the file says. */
static struct err *read_checked(struct fill *f, sqlite3_stmt *row, int data_column, int len_column,
				const char **ret, size_t *ret_len)
{
	const char *data;
	size_t len;
	struct err *e = store_read_blob(f->store, row, data_column, f->reader, &data, &len);

	if (e)
		return e;
	if ((int64_t)len != sqlite3_column_int64(row, len_column))
		return store_damaged(f->store, "a piece of evidence does not have the length it claims");
	*ret = data;
	*ret_len = len;
	return NULL;
}

static struct err *read_pid(struct store *store, sqlite3_stmt *row, int column, unsigned *ret)
{
	int64_t pid = sqlite3_column_int64(row, column);

	if (pid < 0 || pid > INT_MAX)
		return store_damaged(store, "a piece of evidence has an impossible pid");
	*ret = (unsigned)pid;
	return NULL;
}

static const char *text_of(sqlite3_stmt *row, int column)
{
	const unsigned char *text = sqlite3_column_text(row, column);

	return text ? (const char *)text : "";
}

/* One row of: name, len, error, data. */
static struct err *add_baseline_piece(struct fill *f)
{
	const char *name = text_of(f->baseline, 0), *data = NULL;
	size_t len = 0;

	if (sqlite3_column_type(f->baseline, 2) != SQLITE_NULL || !views_want_baseline(f->views, name))
		return NULL;

	struct err *e = read_checked(f, f->baseline, 3, 1, &data, &len);

	if (!e)
		views_add_baseline(f->views, name, data, len);
	return e;
}

static struct err *add_baseline(struct fill *f, int64_t probe_id)
{
	struct err *e = NULL;

	if (!f->baseline)
		return NULL;
	sqlite3_reset(f->baseline);
	sqlite3_bind_int64(f->baseline, 1, probe_id);
	while (store_next(f->store, f->baseline, &e))
		e = add_baseline_piece(f);
	return e;
}

static struct err *begin_snapshot(struct fill *f, int64_t id, int64_t probe_id, const char *name)
{
	views_begin(f->views, id, probe_id, name);
	f->has_snapshot = true;
	f->snapshot_id = id;
	return add_baseline(f, probe_id);
}

/* One row of: snapshot id, probe id, name, then of the piece: pid, name, len, error, data. */
static struct err *fill_piece(struct fill *f, sqlite3_stmt *row)
{
	int64_t id = sqlite3_column_int64(row, 0);
	const char *name, *data = NULL;
	unsigned pid = 0;
	size_t len = 0;
	struct err *e = NULL;

	if (!f->has_snapshot || id != f->snapshot_id)
		e = begin_snapshot(f, id, sqlite3_column_int64(row, 1), text_of(row, 2));
	/* A snapshot without evidence gives one row, of nothing. */
	if (e || sqlite3_column_type(row, 3) == SQLITE_NULL)
		return e;
	e = read_pid(f->store, row, 3, &pid);
	if (e)
		return e;
	name = text_of(row, 4);
	if (!views_want(f->views, pid, name))
		return NULL;
	if (sqlite3_column_type(row, 6) != SQLITE_NULL) {
		views_add_failed(f->views, pid, name);
		return NULL;
	}
	e = read_checked(f, row, 7, 5, &data, &len);
	if (!e)
		views_add(f->views, pid, name, data, len);
	return e;
}

/* A workload's name for a checkpoint with a number. */
#define IS_ON_THE_WAY(s) "(" s "name GLOB 'build-[0-9]*' OR " s "name GLOB 'count-[0-9]*')"

/* Of a snapshot s of a probe p. */
static const char *const moments[] = {
	[STORE_JUDGED] = "(s.name = CASE WHEN p.kind IN ('displacement', 'ram') THEN 'load' ELSE 'onset' END"
			 " OR (p.kind = 'population' AND s.id = (SELECT max(c.id) FROM snapshot c"
			 " WHERE c.probe_id = p.id AND c.name GLOB 'count-[0-9]*')))",
	[STORE_ONSET] = "p.kind IN ('displacement', 'ram') AND s.name = 'onset'",
	[STORE_CHECKPOINTS] = "(" IS_ON_THE_WAY(
		"s.") " OR s.name = 'load') AND EXISTS"
		      " (SELECT 1 FROM snapshot w WHERE w.probe_id = p.id AND " IS_ON_THE_WAY("w.") ")",
};

/*
 * The pieces of these snapshots; those without any give one row, of nothing. A load at rest has, after its
 * own, what it was seen to use later.
 */
static struct err *prepare_pieces(struct store *store, enum store_moment moment, const char *more,
				  sqlite3_stmt **ret)
{
	cleanup_free char *sql = xasprintf(
		"SELECT s.id, s.probe_id, s.name, e.pid,"
		" CASE WHEN e.snapshot_id = s.id THEN e.name ELSE '" VIEWS_USED "' END,"
		" e.len, e.error, e.data"
		" FROM snapshot s CROSS JOIN probe p ON p.id = s.probe_id"
		" LEFT JOIN snapshot u ON s.name = 'load' AND u.probe_id = s.probe_id AND u.name = 'used'"
		" LEFT JOIN evidence e ON e.snapshot_id = s.id"
		" OR (e.snapshot_id = u.id AND e.name = 'smaps')"
		" WHERE %s%s ORDER BY s.id, e.pid, e.rowid",
		moments[moment], more);

	return store_prepare(store, sql, ret);
}

static struct err *add_pieces(struct fill *f, enum store_moment moment)
{
	cleanup_stmt sqlite3_stmt *rows = NULL;
	struct err *e = prepare_pieces(f->store, moment, "", &rows);

	while (store_next(f->store, rows, &e))
		e = fill_piece(f, rows);
	views_end(f->views);
	return e;
}

struct err *store_views(struct store *store, enum store_moment moment, unsigned set, struct views **ret)
{
	cleanup(cleanup_views_) struct views *views = views_create(set);
	cleanup(cleanup_blob_reader_) struct blob_reader *reader = blob_reader_create();
	cleanup_stmt sqlite3_stmt *baseline = NULL;
	struct fill f = { .store = store, .views = views, .reader = reader };
	struct err *e = NULL;

	if (set & VIEW_BIT(VIEW_BASELINE))
		e = store_prepare(store,
				  "SELECT e.name, e.len, e.error, e.data FROM snapshot s"
				  " CROSS JOIN evidence e ON e.snapshot_id = s.id AND e.pid = 0"
				  " WHERE s.probe_id = ? AND s.name = 'baseline' ORDER BY s.id, e.rowid",
				  &baseline);
	f.baseline = baseline;
	if (!e)
		e = add_pieces(&f, moment);
	if (e)
		return e;
	*ret = take_ptr(views);
	return NULL;
}

static bool is_named(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

/* One row as above. */
static struct err *tell_content(struct fill *f, sqlite3_stmt *row, const char *const *names,
				store_content_fn *tell, void *arg)
{
	struct store_content c = { .snapshot_id = sqlite3_column_int64(row, 0),
				   .probe_id = sqlite3_column_int64(row, 1),
				   .snapshot = text_of(row, 2),
				   .name = text_of(row, 4) };
	struct err *e;

	if (sqlite3_column_type(row, 3) == SQLITE_NULL || sqlite3_column_type(row, 6) != SQLITE_NULL ||
	    !is_named(c.name, names))
		return NULL;
	e = read_pid(f->store, row, 3, &c.pid);
	if (!e)
		e = read_checked(f, row, 7, 5, &c.data, &c.len);
	if (!e)
		tell(arg, &c);
	return e;
}

struct err *store_each_content(struct store *store, enum store_moment moment, const char *const *names,
			       store_content_fn *f, void *arg)
{
	cleanup(cleanup_blob_reader_) struct blob_reader *reader = blob_reader_create();
	cleanup_stmt sqlite3_stmt *rows = NULL;
	struct fill fill = { .store = store, .reader = reader };
	struct err *e = prepare_pieces(store, moment, " AND p.kind NOT IN ('ramp', 'fixed')", &rows);

	while (store_next(store, rows, &e))
		e = tell_content(&fill, rows, names, f, arg);
	return e;
}

/* --- Single pieces, as they came from the guest */

void store_pieces_free(struct store_piece *pieces, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(pieces[i].snapshot);
		free(pieces[i].name);
		free(pieces[i].error);
	}
	free(pieces);
}

/* One row of: rowid, probe id, snapshot id, its name, pid, name, len, error. */
static struct err *describe_piece(struct store *store, sqlite3_stmt *row, struct store_piece *p)
{
	int64_t pid = sqlite3_column_int64(row, 4), len = sqlite3_column_int64(row, 6);

	if (pid < 0 || pid > INT_MAX || len < 0)
		return store_damaged(store, "a piece of evidence has an impossible pid or length");
	p->id = sqlite3_column_int64(row, 0);
	p->probe_id = sqlite3_column_int64(row, 1);
	p->snapshot_id = sqlite3_column_int64(row, 2);
	p->snapshot = store_column_text(row, 3);
	p->pid = (unsigned)pid;
	p->name = store_column_text(row, 5);
	p->len = (uint64_t)len;
	if (sqlite3_column_type(row, 7) != SQLITE_NULL)
		p->error = store_column_text(row, 7);
	return NULL;
}

struct err *store_pieces(struct store *store, struct store_piece **ret, size_t *ret_n)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct store_piece *pieces = NULL;
	size_t n = 0, cap = 0;
	struct err *e =
		store_prepare(store,
			      "SELECT e.rowid, s.probe_id, s.id, s.name, e.pid, e.name, e.len, e.error"
			      " FROM snapshot s JOIN evidence e ON e.snapshot_id = s.id"
			      " ORDER BY s.probe_id, s.id, e.rowid",
			      &stmt);

	while (store_next(store, stmt, &e))
		e = describe_piece(store, stmt, array_push(pieces, n, cap));
	if (e) {
		store_pieces_free(pieces, n);
		return e;
	}
	*ret = pieces;
	*ret_n = n;
	return NULL;
}

struct err *store_read_piece(struct store *store, const struct store_piece *piece, struct strbuf *sb)
{
	cleanup(cleanup_blob_reader_) struct blob_reader *reader = blob_reader_create();
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	const char *data = NULL;
	size_t len = 0;
	struct err *e;

	if (piece->error)
		return err_new("'%s' of process %u could not be read in the guest: %s", piece->name,
			       piece->pid, piece->error);
	e = store_ask(store, &stmt, "SELECT data FROM evidence WHERE rowid = ?", STORE_INT(piece->id));
	/* A row that is gone has no content, which is then too short. */
	if (store_next(store, stmt, &e))
		e = store_read_blob(store, stmt, 0, reader, &data, &len);
	if (!e && len != piece->len)
		e = store_damaged(store, "a piece of evidence does not have the length it claims");
	if (!e)
		strbuf_add(sb, data, len);
	return e;
}
