/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_STORE_MERGE_INTERNAL_H
#define SWAPCAL_STORE_MERGE_INTERNAL_H

#include "harness/store/store-db.h"
#include "harness/store/store-merge.h"

/* What store-merge*.c share. */

/**
 * A merge under way. What is known of the origin of rows is in temporary tables beside the result:
 *
 *   - origin_cell: key, file that had it first, its plan (see plans) and position there;
 *   - origin_probe: id in the result, and each file that has it;
 *   - known_probe: where probes of the result are found by what makes them the same;
 *   - origin_run: id in the file now read, and in the result.
 */
struct merge {
	struct store *out, *in;
	const char *const *paths;
	size_t file;  /**< the one now read, an index into paths */
	char **plans; /**< texts of the different plans, by the files that have them first */
	size_t plans_n, plans_cap;
	size_t plan;         /**< of the file now read, an index into plans */
	int64_t last_run_id; /**< the run in the result that has to be its latest; 0: none yet */
	struct merge_result *result;
};

/** n columns of a row, as they are, as the parameters of another statement from index on. */
void merge_bind_columns(sqlite3_stmt *to, int index, sqlite3_stmt *from, int column, int n);

/** Runs SQL with two numbers as its parameters. */
struct err *merge_run_with_ids(struct store *store, const char *sql, int64_t a, int64_t b) must_check;

/** Makes the temporary tables. */
struct err *merge_tables_create(struct merge *m) must_check;

/** Takes over what the file now read has. */
struct err *merge_runs(struct merge *m) must_check;
struct err *merge_cells(struct merge *m) must_check;
struct err *merge_probes(struct merge *m) must_check;

/** When all files were read: gives cells their positions, and the latest run its place. */
struct err *merge_order(struct merge *m) must_check;

/** Looks for different answers to one replicate, and for what is missing in the result. */
struct err *merge_check(struct merge *m) must_check;

/** A conflict between file a and b over the cell (its own copy is made). */
void merge_add_conflict(struct merge *m, const struct cell *cell, size_t a, size_t b, int64_t replicate);

#endif
