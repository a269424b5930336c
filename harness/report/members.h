/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <jansson.h>

#include "harness/cell/cell.h"
#include "harness/cell/record.h"

struct report;

/*
 * Members of JSON objects that several parts of a report have.
 */

/** The short name of a cell: a new reference. */
json_t *members_cell_id(const struct cell *cell);

/** Sets "cell" to its short name, and with it what a reader picks cells by. */
void members_set_cell(json_t *object, const struct cell *cell);

/** KiB as MiB. */
void members_set_mib(json_t *object, const char *key, double kib);

/** What is counted. */
void members_set_count(json_t *object, const char *key, size_t n);

/** Sets "flags": "a,b" as ["a", "b"]. */
void members_set_flags(json_t *object, const char *flags);

/** An array of n objects, made by f of each number. */
json_t *members_array(const struct report *r, size_t n, json_t *(*f)(const struct report *r, size_t i));
