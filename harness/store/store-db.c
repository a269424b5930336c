/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/store/store-db.h"

#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/log.h"

struct err *store_damaged(struct store *store, const char *what)
{
	return err_new(
		"results file '%s' is damaged: %s; use an older copy, or start a new file under another name",
		store->name, what);
}

struct err *store_error(struct store *store)
{
	const char *message = sqlite3_errmsg(store->db);

	switch (sqlite3_errcode(store->db)) {
	case SQLITE_NOTADB:
		return err_new("'%s' is not a swapcal results file; give another name", store->name);
	case SQLITE_CORRUPT:
		return store_damaged(store, message);
	case SQLITE_FULL:
		return err_new(
			"results file '%s': the disk is full; what was committed is safe: free some space and run again",
			store->name);
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
		return err_new(
			"results file '%s' cannot be opened (%s); after a run was killed, its file can only be read in a directory that you can write to: copy '%s' and '%s-wal' to one",
			store->name, message, store->name, store->name);
	default:
		return err_new("results file '%s': %s", store->name, message);
	}
}

struct err *store_prepare(struct store *store, const char *sql, sqlite3_stmt **ret)
{
	if (sqlite3_prepare_v2(store->db, sql, -1, ret, NULL) != SQLITE_OK)
		return store_error(store);
	return NULL;
}

void store_bind(sqlite3_stmt *stmt, int index, const struct store_value *v)
{
	if (v->type == SQLITE_INTEGER)
		sqlite3_bind_int64(stmt, index, v->integer);
	else if (v->type == SQLITE_FLOAT)
		sqlite3_bind_double(stmt, index, v->real);
	else if (v->type == SQLITE_TEXT)
		sqlite3_bind_text(stmt, index, v->text ? v->text : "", -1, SQLITE_STATIC);
	else if (v->type == SQLITE_BLOB)
		sqlite3_bind_blob64(stmt, index, v->blob->data, v->blob->len, SQLITE_STATIC);
}

struct err *store_ask_values(struct store *store, sqlite3_stmt **ret, const char *sql,
			     const struct store_value *values, size_t n)
{
	struct err *e = store_prepare(store, sql, ret);

	for (size_t i = 0; !e && i < n; i++)
		store_bind(*ret, (int)i + 1, &values[i]);
	return e;
}

struct err *store_change_values(struct store *store, const char *sql, const struct store_value *values,
				size_t n)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_ask_values(store, &stmt, sql, values, n);

	return e ? e : store_run(store, stmt);
}

bool store_next(struct store *store, sqlite3_stmt *stmt, struct err **e)
{
	int rc = *e ? SQLITE_DONE : sqlite3_step(stmt);

	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		*e = store_error(store);
	return rc == SQLITE_ROW;
}

struct err *store_run(struct store *store, sqlite3_stmt *stmt)
{
	struct err *e = NULL;

	store_next(store, stmt, &e);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return e;
}

struct err *store_exec(struct store *store, const char *sql)
{
	log_debug(LOG_STORE, "%s: %.*s", store->path ? store->path : "in memory", (int)strcspn(sql, "\n"),
		  sql);
	if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return store_error(store);
	return NULL;
}

struct err *store_query_int_values(struct store *store, int64_t *ret, const char *sql,
				   const struct store_value *values, size_t n)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_ask_values(store, &stmt, sql, values, n);
	bool has_row = store_next(store, stmt, &e);

	if (!e)
		*ret = has_row ? sqlite3_column_int64(stmt, 0) : 0;
	return e;
}

struct err *store_end_transaction(struct store *store, struct err *e)
{
	if (!e)
		e = store_exec(store, "COMMIT");
	/* A failed COMMIT may leave the transaction open, some errors have ended it already. */
	if (e && !sqlite3_get_autocommit(store->db)) {
		log_debug(LOG_STORE, "%s: ROLLBACK", store->path ? store->path : "in memory");
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	}
	return e;
}

char *store_column_text(sqlite3_stmt *stmt, int column)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	return xstrdup(text ? (const char *)text : "");
}

bool store_column_key(sqlite3_stmt *stmt, int column, char key[65])
{
	cleanup_free char *text = store_column_text(stmt, column);

	if (strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64)
		return false;
	memcpy(key, text, 65);
	return true;
}

struct err *store_read_blob(struct store *store, sqlite3_stmt *stmt, int column, struct blob_reader *r,
			    const char **ret, size_t *ret_len)
{
	const void *data = sqlite3_column_blob(stmt, column);
	int len = sqlite3_column_bytes(stmt, column);
	struct err *e = blob_reader_read(r, data, data ? (size_t)len : 0, STORE_BLOB_MAX, ret, ret_len);

	if (!e)
		return NULL;

	struct err *damaged = store_damaged(store, err_message(e));

	err_free(e);
	return damaged;
}

struct err *store_column_blob(struct store *store, sqlite3_stmt *stmt, int column, struct strbuf *sb)
{
	cleanup(cleanup_blob_reader_) struct blob_reader *r = blob_reader_create();
	const char *data;
	size_t len;
	struct err *e = store_read_blob(store, stmt, column, r, &data, &len);

	if (!e)
		strbuf_add(sb, data, len);
	return e;
}
