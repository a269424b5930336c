/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "calibrate/stats/agreement.h"
#include "harness/base/cleanup.h"
#include "harness/base/err.h"

/*
 * Pairs of measurements from a CSV file of anybody's: a row of names with the columns z (the reference) and
 * y, and perhaps cluster or cell; all other columns are ignored. Accepted are a byte order mark, any line
 * ends, quoted fields, blanks around fields, blank lines, and lines that begin with '#'.
 */

/** A larger file would not fit into memory beside what is computed from it. */
#define PAIRS_FILE_MAX ((size_t)256 << 20)
#define PAIRS_ROWS_MAX 1000000
/** A quotation mark too many makes a field of all that follows. */
#define PAIRS_FIELD_MAX   65536
#define PAIRS_COLUMNS_MAX 1024
/** Two pairs always lie on a line. */
#define PAIRS_ROWS_MIN 3
/** Sizes that numbers may have: their squares, and sums of these, must be numbers too. */
#define PAIRS_NUMBER_MAX 1e100
#define PAIRS_NUMBER_MIN 1e-100

struct pairs {
	struct agreement_pair *pairs;
	size_t n; /**< from PAIRS_ROWS_MIN to PAIRS_ROWS_MAX */
	/**
	 * What counts once, numbered from 0 as it appears: "cluster" when the file has that column, else
	 * "cell" when it has that, else each "pair".
	 */
	const char *unit;
	size_t clusters;
};

/**
 * Reads a file, or standard input where path is "-". Errors are of kind ERR_USAGE and begin with PATH:LINE,
 * the physical line in the file.
 */
struct err *pairs_load(const char *path, struct pairs *ret) must_check;

/** The name of that file in errors and results. */
const char *pairs_name(const char *path);

void pairs_deinit(struct pairs *p);
#define cleanup_pairs cleanup(pairs_deinit)
