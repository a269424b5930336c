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

/** Pages of one sort, each counted once. */
struct pages_row {
	bool is_swapped, is_dirty, is_lazyfree, is_huge, is_mlocked;
	bool has_ksm, is_ksm; /**< does the kernel tell, and is it so? */
	bool is_shared_outside;
	const char *backing;
	uint64_t mappers, kib, mapped_kib;
};

/** Row i of the snapshot that has ended; false when there is none. */
bool pages_row(const struct pages *p, size_t i, struct pages_row *ret);
