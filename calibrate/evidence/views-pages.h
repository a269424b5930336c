/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/** Ends the snapshot and counts its pages. One that is spoilt has no rows. */
void pages_end(struct pages *p);

/** How many rows the view pages has of the snapshot that has ended. */
size_t pages_rows(const struct pages *p);

/** Sets the numbers of row i, and what its texts are: each is of pages of one sort, counted once. */
void pages_fill_row(const struct pages *p, size_t i, int64_t *row, const char **ret_state,
		    const char **ret_backing);
