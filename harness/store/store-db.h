/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/strbuf.h"
#include "harness/cell/cell.h"
#include "harness/store/blob.h"
#include "harness/store/store.h"

/*
 * What store*.c share: the database handle and statements that report errors our way. Nobody else includes
 * this.
 */

struct store {
	sqlite3 *db;
	char *name;      /**< as the user wrote it, for messages */
	char *path;      /**< absolute, without symlinks */
	char *lock_path; /**< PATH-lock */
	char *live_path; /**< PATH-live */
	int lock_fd;     /**< held by a writer, else -1 */
	char id[33];     /**< see store_id(); "" of one that is only read */
	bool is_writing; /**< opened for writing, and found to be ours */
};

DEFINE_CLEANUP(cleanup_stmt, sqlite3_stmt *, sqlite3_finalize)
#define cleanup_stmt cleanup(cleanup_stmt_)

/** Largest piece of evidence or series after decompression: a few thousand times what a guest sends. */
#define STORE_BLOB_MAX ((size_t)256 << 20)

/**
 * The error of the last call that failed on this database, with the file's name and, where there is one, a
 * remedy.
 */
struct err *store_error(struct store *store) must_check;

/** "results file 'f' is damaged: WHAT; ...": for content that no writer of ours leaves. */
struct err *store_damaged(struct store *store, const char *what) must_check;

/** What a parameter of a statement becomes. Texts and blobs live until the statement ran. */
struct store_value {
	int type; /**< SQLITE_NULL, SQLITE_INTEGER, SQLITE_FLOAT, SQLITE_TEXT or SQLITE_BLOB */
	union {
		int64_t integer;
		double real;
		const char *text; /**< NULL becomes "" */
		const struct strbuf *blob;
	};
};

/* clang-format off */
#define STORE_NULL        ((struct store_value){ .type = SQLITE_NULL })
#define STORE_INT(value)  ((struct store_value){ .type = SQLITE_INTEGER, .integer = (int64_t)(value) })
#define STORE_REAL(value) ((struct store_value){ .type = SQLITE_FLOAT, .real = (value) })
#define STORE_TEXT(value) ((struct store_value){ .type = SQLITE_TEXT, .text = (value) })
#define STORE_BLOB(value) ((struct store_value){ .type = SQLITE_BLOB, .blob = (value) })
/** A number that is cut to what SQLite can hold. */
#define STORE_U64(value)  STORE_INT((value) > INT64_MAX ? INT64_MAX : (int64_t)(value))
/** Values, as an array and its length. */
#define STORE_VALUES(...) (const struct store_value[]){ __VA_ARGS__ }, \
			  sizeof((const struct store_value[]){ __VA_ARGS__ }) / sizeof(struct store_value)
/* clang-format on */

struct err *store_prepare(struct store *store, const char *sql, sqlite3_stmt **ret) must_check;

/** A statement with its first parameters set: store_ask(store, &stmt, sql, STORE_INT(1), ...). */
struct err *store_ask_values(struct store *store, sqlite3_stmt **ret, const char *sql,
			     const struct store_value *values, size_t n) must_check;
#define store_ask(store, ret, sql, ...) store_ask_values(store, ret, sql, STORE_VALUES(__VA_ARGS__))

/** Runs a statement that gives no rows: store_change(store, sql, STORE_INT(1), ...). */
struct err *store_change_values(struct store *store, const char *sql, const struct store_value *values,
				size_t n) must_check;
#define store_change(store, sql, ...) store_change_values(store, sql, STORE_VALUES(__VA_ARGS__))

/** Goes on to the next row, unless *e is an error already. False at the end and after an error, *e. */
bool store_next(struct store *store, sqlite3_stmt *stmt, struct err **e);

/** Runs a prepared statement that gives no rows, and makes it ready for the next values. */
struct err *store_run(struct store *store, sqlite3_stmt *stmt) must_check;

/** Runs SQL without parameters and rows. */
struct err *store_exec(struct store *store, const char *sql) must_check;

/** The number that a query gives, 0 when it gives no row: store_query_int(store, &n, sql, STORE_INT(1), ...).
 */
struct err *store_query_int_values(struct store *store, int64_t *ret, const char *sql,
				   const struct store_value *values, size_t n) must_check;
#define store_query_int(store, ret, sql, ...)                                                                \
	store_query_int_values(store, ret, sql, STORE_VALUES(__VA_ARGS__))

/** A row of key, threshold_key, position, replicates, identity; checked. The cell is the caller's also on
 * failure. */
struct err *store_read_cell(struct store *store, sqlite3_stmt *stmt, struct cell *cell) must_check;

/** The probe of that id, which there must be, without samples and snapshots; the caller's also on failure. */
struct err *store_read_probe(struct store *store, int64_t id, struct probe_record *r) must_check;

/** A row of probe and nothing that hangs off it, within its transaction. */
struct err *store_insert_probe(struct store *store, int64_t run_id, const struct probe_record *r,
			       int64_t *ret_id) must_check;

/** The decompressed content of a blob column, in the reader's memory; at most STORE_BLOB_MAX bytes. */
struct err *store_read_blob(struct store *store, sqlite3_stmt *stmt, int column, struct blob_reader *r,
			    const char **ret, size_t *ret_len) must_check;

/** Ends a transaction begun with "BEGIN IMMEDIATE": commits when e is NULL, else rolls back and returns e. */
struct err *store_end_transaction(struct store *store, struct err *e) must_check;

/** A copy of a column's text up to its first NUL, "" for NULL; to be freed. */
char *store_column_text(sqlite3_stmt *stmt, int column);

/** A column that is the key of a cell, 64 hex digits; false for any other text. */
bool store_column_key(sqlite3_stmt *stmt, int column, char key[65]);
