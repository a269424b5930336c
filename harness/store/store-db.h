/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_STORE_DB_H
#define SWAPCAL_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "harness/base/cleanup.h"
#include "harness/base/err.h"
#include "harness/base/strbuf.h"
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

/** Creates the tables in an empty database. */
struct err *store_schema_create(struct store *store) must_check;

/**
 * Fails unless the database holds exactly the tables that store_schema_create() makes; *ret_is_empty: holds
 * nothing at all.
 */
struct err *store_schema_check(struct store *store, bool *ret_is_empty) must_check;

/** Reads the id of a file that is written to, which it gets when it has none. */
struct err *store_read_id(struct store *store) must_check;

/** Takes the writer's lock, or fails with an error that names its owner. */
struct err *store_lock(struct store *store) must_check;
void store_unlock(struct store *store);

/**
 * The error of the last call that failed on this database, with the file's name and, where there is one, a
 * remedy.
 */
struct err *store_error(struct store *store) must_check;

/** "results file 'f' is damaged: WHAT; ...": for content that no writer of ours leaves. */
struct err *store_damaged(struct store *store, const char *what) must_check;

struct err *store_prepare(struct store *store, const char *sql, sqlite3_stmt **ret) must_check;

/** One step; *ret_row tells whether there is a row to read. */
struct err *store_step(struct store *store, sqlite3_stmt *stmt, bool *ret_row) must_check;

/** Runs a statement that gives no rows, and makes it ready for the next values. */
struct err *store_run(struct store *store, sqlite3_stmt *stmt) must_check;

/** Runs SQL without parameters and rows. */
struct err *store_exec(struct store *store, const char *sql) must_check;

/** The number a one-value query gives. */
struct err *store_query_int(struct store *store, const char *sql, int64_t *ret) must_check;

/** A row of key, threshold_key, position, replicates, identity; checked. The cell is the caller's also on
 * failure. */
struct err *store_read_cell(struct store *store, sqlite3_stmt *stmt, struct cell *cell) must_check;

/** The probe of that id, which there must be, without samples and snapshots; the caller's also on failure. */
struct err *store_read_probe(struct store *store, int64_t id, struct probe_record *r) must_check;

/** A row of probe and nothing that hangs off it, within its transaction. */
struct err *store_insert_probe(struct store *store, int64_t run_id, const struct probe_record *r,
			       int64_t *ret_id) must_check;

/** Write what hangs off a probe, within its transaction. */
struct err *store_put_series(struct store *store, int64_t probe_id, const struct probe_record *r) must_check;
struct err *store_put_snapshot(struct store *store, int64_t probe_id, const struct snapshot *s) must_check;

/** Appends the decompressed content of a blob column to sb; at most STORE_BLOB_MAX bytes. */
struct err *store_column_blob(struct store *store, sqlite3_stmt *stmt, int column,
			      struct strbuf *sb) must_check;

/** The same in the reader's memory. */
struct err *store_read_blob(struct store *store, sqlite3_stmt *stmt, int column, struct blob_reader *r,
			    const char **ret, size_t *ret_len) must_check;

/** Ends a transaction begun with "BEGIN IMMEDIATE": commits when e is NULL, else rolls back and returns e. */
struct err *store_end_transaction(struct store *store, struct err *e) must_check;

/** Binds a number, cut to what SQLite can hold. */
void store_bind_u64(sqlite3_stmt *stmt, int index, uint64_t value);

/** Binds a string that lives until the statement ran; NULL becomes "". */
void store_bind_text(sqlite3_stmt *stmt, int index, const char *text);

/** A copy of a column's text up to its first NUL, "" for NULL; to be freed. */
char *store_column_text(sqlite3_stmt *stmt, int column);

/** A column that is the key of a cell, 64 hex digits; false for any other text. */
bool store_column_key(sqlite3_stmt *stmt, int column, char key[65]);

#endif
