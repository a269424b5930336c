/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/cell/cell.h"

/*
 * Several results files to one.
 *
 * The same run (start, process, audit, plan), cell (key) or probe (cell, replicate, seq, kind, z, seed,
 * start, outcome) in several files is one in the result, so merging what was merged before changes nothing.
 * Cells of one key are one cell: it is current when it is in any file, with the most replicates that a
 * current one asks for. Positions are kept among files of one plan; cells of another plan come after them, in
 * the order of the files. The latest run of the first file that has any is the latest run of the result, so
 * that reports go by its plan. A run that had not ended is taken as it is, and counts as died in the result,
 * since it will not write there.
 */

/** Two files that cannot both be right. */
struct merge_conflict {
	struct cell cell;
	bool is_identity; /**< they have the cell's key for two different cells; else they have
			      different answers to one replicate, each some that the other has not */
	unsigned replicate;
	const char *a, *b; /**< their paths, as given */
};

/** The result of a merge. */
struct merge_result {
	uint64_t cells, probes; /**< current cells, and probes of any cell, of the result */
	uint64_t repeated;      /**< probes that had come from another file already */
	uint64_t without_z;     /**< current cells whose threshold cell is no current one */
	size_t plans;           /**< how many different ones */
	char *missing_shards;   /**< "2, 5 of 8": no file has a run of them; NULL when none is missing */
	struct merge_conflict *conflicts; /**< when there are any, no file was made */
	size_t conflicts_n, conflicts_cap;
};

void merge_result_deinit(struct merge_result *r);

/**
 * Makes the new file out of n others. It is made under another name beside it and renamed when complete, so
 * it is all there or not at all. When a run is writing to a file, what it has now is taken, with a
 * note. Conflicts are no error. ERR_USAGE when out exists, ERR_INTERRUPTED on the user's wish. *ret is set on
 * failure too.
 */
struct err *store_merge(const char *out, const char *const *paths, size_t n,
			struct merge_result *ret) must_check;
