/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_QUERY_INTERNAL_H
#define SWAPCAL_QUERY_INTERNAL_H

#include <sqlite3.h>
#include <stdint.h>

#include "harness/query/query.h"

/*
 * What query*.c share. Nobody else includes this.
 */

DEFINE_CLEANUP(cleanup_stmt, sqlite3_stmt *, sqlite3_finalize)
#define cleanup_stmt cleanup(cleanup_stmt_)

/** What watches a query, from its text to its last row. */
struct query_guard {
	int64_t time_ms_max, memory_bytes_max;
	unsigned read;        /**< VIEW_BIT()s of what was read */
	int64_t deadline_ms;  /**< of clock_ms() */
	int64_t memory_bytes; /**< that SQLite had before */
	char *why;            /**< why the query was refused or stopped; NULL: it was not */
	char *name;           /**< what in its text is to blame; NULL when that is not known */
};

struct query {
	sqlite3 *db;
	const struct views *views;
	struct query_guard guard;
};

/** Sets the database's limits, and makes the guard watch whatever runs in it. */
void query_guard_install(struct query_guard *g, sqlite3 *db);

/** A query begins: forgets the one before and starts the clock. */
void query_guard_start(struct query_guard *g);
void query_guard_deinit(struct query_guard *g);

/** Makes every view a table of the database. The views outlive it. */
struct err *query_tables_create(sqlite3 *db, const struct views *views) must_check;

/** "FILE:LINE: what", of kind ERR_USAGE; the line is the query's first. */
struct err *query_wrong(const struct query_text *text, const char *fmt, ...)
	__attribute__((format(printf, 2, 3))) must_check;

/** The last error of SQLite or of the guard, with the line it is in and with names that could be meant. */
struct err *query_sqlite_error(const struct query *q, const struct query_text *text) must_check;

#endif
