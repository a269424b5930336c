/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <limits.h>
#include <stdlib.h>

#include "harness/base/alloc.h"
#include "harness/store/store-db.h"

/* Single pieces of evidence, as they came from the guest. */

struct pieces {
	struct store_piece *v;
	size_t n, cap;
};

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
static struct err *add_piece(struct store *store, sqlite3_stmt *row, struct pieces *pieces)
{
	int64_t pid = sqlite3_column_int64(row, 4), len = sqlite3_column_int64(row, 6);

	if (pid < 0 || pid > INT_MAX || len < 0)
		return store_damaged(store, "a piece of evidence has an impossible pid or length");

	struct store_piece *p = array_push(pieces->v, pieces->n, pieces->cap);

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
	struct pieces pieces = { 0 };
	struct err *e =
		store_prepare(store,
			      "SELECT e.rowid, s.probe_id, s.id, s.name, e.pid, e.name, e.len, e.error"
			      " FROM snapshot s JOIN evidence e ON e.snapshot_id = s.id"
			      " ORDER BY s.probe_id, s.id, e.rowid",
			      &stmt);

	for (bool row = true; !e && row;) {
		e = store_step(store, stmt, &row);
		if (!e && row)
			e = add_piece(store, stmt, &pieces);
	}
	if (e) {
		store_pieces_free(pieces.v, pieces.n);
		return e;
	}
	*ret = pieces.v;
	*ret_n = pieces.n;
	return NULL;
}

struct err *store_read_piece(struct store *store, const struct store_piece *piece, struct strbuf *sb)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_strbuf struct strbuf content = STRBUF_INIT;
	bool row = false;
	struct err *e;

	if (piece->error)
		return err_new("'%s' of process %u could not be read in the guest: %s", piece->name,
			       piece->pid, piece->error);
	e = store_prepare(store, "SELECT data FROM evidence WHERE rowid = ?", &stmt);
	if (e)
		return e;
	sqlite3_bind_int64(stmt, 1, piece->id);
	e = store_step(store, stmt, &row);
	if (!e)
		e = store_column_blob(store, stmt, 0, &content);
	if (!e && content.len != piece->len)
		e = store_damaged(store, "a piece of evidence does not have the length it claims");
	if (!e)
		strbuf_add(sb, content.data, content.len);
	return e;
}
