/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the kernel says of each page, and how runs are made of it (struct proto_page_run). The agent makes
 * runs of a load's pages, `swapcal measure` of those of processes here, and the host reads both.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/proto.h"

#define PAGE_BYTES 4096
#define PAGE_KIB   4

/** Bits of /proc/PID/pagemap. */
#define PAGE_IN_RAM  (1ull << 63)
#define PAGE_IN_SWAP (1ull << 62)

/** The number of the frame of a page in RAM. */
#define PAGE_FRAME ((1ull << 55) - 1)

/** Of a page in swap, in place of that number: the type in the lowest bits, the slot above them. */
#define PAGE_SWAP_TYPE_BITS 5
#define PAGE_SWAP_TYPE      ((1ull << PAGE_SWAP_TYPE_BITS) - 1)

/**
 * Bits of /proc/kpageflags: linux/kernel-page-flags.h up to 26. The two from 32 on are in no header for
 * programs, but have been there since 2.6.31.
 */
#define FRAME_DIRTY       (1ull << 4)
#define FRAME_ACTIVE      (1ull << 6)
#define FRAME_ANON        (1ull << 12)
#define FRAME_SWAPBACKED  (1ull << 14)
#define FRAME_HEAD        (1ull << 15)
#define FRAME_TAIL        (1ull << 16)
#define FRAME_HUGETLB     (1ull << 17)
#define FRAME_UNEVICTABLE (1ull << 18)
#define FRAME_NOPAGE      (1ull << 20) /* no memory of its own */
#define FRAME_KSM         (1ull << 21)
#define FRAME_THP         (1ull << 22)
#define FRAME_ZERO_PAGE   (1ull << 24)
#define FRAME_RESERVED    (1ull << 32)
#define FRAME_MLOCKED     (1ull << 33)

/** Runs being made; rows has room for max of them. */
struct page_runs {
	struct proto_page_run *rows;
	size_t n, max;
};

/* Appends the page to the run, if it belongs there. */
static inline bool page_run_extend(struct proto_page_run *run, const struct proto_page_run *page)
{
	/* The bits of an entry that count up or down within a run. */
	uint64_t place = page->entry & PAGE_IN_RAM ? PAGE_FRAME : PAGE_FRAME & ~PAGE_SWAP_TYPE;
	int64_t moved = (int64_t)(page->entry & place) - (int64_t)(run->entry & place);

	if (!(page->entry & PAGE_IN_RAM))
		moved >>= PAGE_SWAP_TYPE_BITS;
	if ((run->entry ^ page->entry) & ~place || run->flags != page->flags ||
	    run->mapcount != page->mapcount || run->pages == UINT16_MAX ||
	    run->address + (uint64_t)run->pages * PAGE_BYTES != page->address)
		return false;
	if (run->pages == 1 && moved >= -1 && moved <= 1)
		run->step = (int16_t)moved;
	if (moved != (int64_t)run->step * run->pages)
		return false;
	run->pages++;
	return true;
}

/**
 * Adds the next page, unless it is nowhere: its entry of pagemap, and of its frame what kpageflags and
 * kpagecount say, which does not count in swap. False when it needs a row and there is no room for one.
 */
static inline bool page_runs_add(struct page_runs *runs, uint64_t address, uint64_t entry, uint64_t flags,
				 uint64_t count)
{
	struct proto_page_run page = { .address = address, .entry = entry, .pages = 1 };

	if (!(entry & (PAGE_IN_RAM | PAGE_IN_SWAP)))
		return true;
	if (entry & PAGE_IN_RAM) {
		page.flags = flags;
		page.mapcount = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
	}
	if (runs->n > 0 && page_run_extend(&runs->rows[runs->n - 1], &page))
		return true;
	if (runs->n == runs->max)
		return false;
	runs->rows[runs->n++] = page;
	return true;
}
