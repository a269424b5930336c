/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_CELL_H
#define SWAPCAL_CELL_H

#include <stdbool.h>

#include "calibrate/evidence/known.h"
#include "harness/cell/method.h"
#include "harness/cell/record.h"

/*
 * What the identity of a cell says.
 */

/* What known-answer loads have in the place of an interpreter. */
#define CELL_KNOWN_INTERPRETER "ballast"

/** A member of a cell's identity; "" or 0 when absent, which only happens in a file made by someone else. */
const char *cell_str(const struct cell *cell, const char *key);
unsigned cell_uint(const struct cell *cell, const char *key);
bool cell_bool(const struct cell *cell, const char *key);

/** Is it a cell of that method? */
bool cell_is(const struct cell *cell, enum method method);

/** Do its guests go on from saved boots? */
bool cell_is_restored(const struct cell *cell);

/** Are the processes of its load forked from the first one? */
bool cell_is_forked(const struct cell *cell);

/** The known-answer load of a cell; false when it has none, or when its numbers make no sense. */
bool cell_known(const struct cell *cell, struct known_spec *ret);

#endif
