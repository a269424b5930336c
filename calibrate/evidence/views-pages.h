/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "calibrate/evidence/views-columns.h"

/** The pages of all processes of a snapshot, from which the rows of pages are made. */
struct pages;

struct pages *pages_create(void);
void pages_destroy(struct pages *p);

/** Begins a snapshot. */
void pages_begin(struct pages *p);

/** Adds the page runs of one process; false when they are bad, which spoils the snapshot. */
bool pages_add(struct pages *p, const char *data, size_t len);

/** A process of which there are no page runs spoils the snapshot too. */
void pages_set_missing(struct pages *p);

/** A row: cells by number of their columns, but for the texts. */
typedef void pages_row_fn(void *arg, const char *state, const char *backing, const int64_t *cells);

/** Tells the rows of the snapshot, none when it is spoilt. */
void pages_end(struct pages *p, pages_row_fn *f, void *arg);
