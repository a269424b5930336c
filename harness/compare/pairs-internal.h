/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_PAIRS_INTERNAL_H
#define SWAPCAL_PAIRS_INTERNAL_H

#include <stddef.h>

#include "harness/base/err.h"

/* Between pairs.c, which reads rows, and pairs-field.c, which knows what fields mean. Errors have no location
 * yet. */

/** Where the columns are in each row. */
struct pairs_columns {
	size_t n; /**< of the header; a row must have as many fields */
	size_t z, y, cell;
};

#define PAIRS_NO_COLUMN ((size_t)-1)

/** The columns of a header with these names. */
struct err *pairs_find_columns(const char *const *names, size_t n, struct pairs_columns *ret) must_check;

/** The error for a row that has another number of fields than the header. */
struct err *pairs_count_error(const char *const *fields, size_t n, size_t columns) must_check;

/** The number that is the whole of a field; column names it in errors. */
struct err *pairs_number(const char *column, const char *text, double *ret) must_check;

#endif
