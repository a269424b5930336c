/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest/agent/agent-pages.h"

/* The bits of an entry that count up or down within a run: the PFN, or the offset in swap. */
static uint64_t place_mask(uint64_t entry)
{
	return entry & PAGE_IS_IN_RAM ? PAGE_PFN_MASK : PAGE_PFN_MASK & ~0x1full;
}

static struct proto_page_run single(uint64_t address, uint64_t entry, uint64_t flags, uint64_t count)
{
	struct proto_page_run run = { .address = address, .entry = entry, .pages = 1 };

	if (entry & PAGE_IS_IN_RAM) {
		run.flags = flags;
		run.mapcount = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
	}
	return run;
}

/* Makes the page the next one of the run, if it is. */
static bool extend(struct proto_page_run *run, const struct proto_page_run *page)
{
	uint64_t mask = place_mask(page->entry), unit = mask & -mask;
	/* Of the run's last page; a step down is a sum that wraps, which the mask makes good. */
	uint64_t last = run->entry + (uint64_t)(run->pages - 1) * (uint64_t)(int64_t)run->step * unit;
	uint64_t distance = (page->entry & mask) - (last & mask);
	int step = distance == 0 ? 0 : distance == unit ? 1 : -1;

	if ((run->entry ^ page->entry) & ~mask || run->flags != page->flags ||
	    run->mapcount != page->mapcount || run->pages == UINT16_MAX ||
	    run->address + (uint64_t)run->pages * PAGE_BYTES != page->address)
		return false;
	if ((step == -1 && distance != -unit) || (run->pages > 1 && run->step != step))
		return false;
	run->step = (int16_t)step;
	run->pages++;
	return true;
}

size_t page_runs_add(struct page_runs *runs, const struct page_chunk *c, size_t from)
{
	size_t i;

	for (i = from; i < c->n; i++) {
		if (!(c->entries[i] & (PAGE_IS_IN_RAM | PAGE_IS_SWAP)))
			continue;

		struct proto_page_run page =
			single(c->address + i * PAGE_BYTES, c->entries[i], c->flags[i], c->counts[i]);

		if (runs->n > 0 && extend(&runs->rows[runs->n - 1], &page))
			continue;
		if (runs->n == runs->max)
			break;
		runs->rows[runs->n++] = page;
	}
	return i;
}
