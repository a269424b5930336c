/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_GUEST_AGENT_PAGES_H
#define SWAPCAL_GUEST_AGENT_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/proto.h"

/*
 * From what the kernel says of each page to runs of neighbours that are alike (struct proto_page_run). Pure:
 * reads no file.
 */

#define PAGE_BYTES     4096u
#define PAGE_PFN_MASK  ((1ull << 55) - 1)
#define PAGE_IS_SWAP   (1ull << 62)
#define PAGE_IS_IN_RAM (1ull << 63)

/** Pages one after the other; the arrays have n members each. flags and counts are read of pages in RAM only.
 */
struct page_chunk {
	uint64_t address;
	const uint64_t *entries, *flags, *counts;
	size_t n;
};

/** Runs being made; rows has room for max of them. */
struct page_runs {
	struct proto_page_run *rows;
	size_t n, max;
};

/**
 * Adds the pages from number `from` on to the runs, leaving out those that are nowhere. The number of the
 * first page that found no room, n of the chunk when all did.
 */
size_t page_runs_add(struct page_runs *runs, const struct page_chunk *c, size_t from);

#endif
