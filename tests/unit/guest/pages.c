/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Runs of pages: expanded again they are exactly the pages that went in, and they are as long as may be. */

#include "guest/pages.h"
#include "tests/tap.h"

#define N_MAX 200000
#define RAM   PAGE_IN_RAM
#define SWAP  PAGE_IN_SWAP

static struct {
	uint64_t address, entry, flags;
	uint32_t count;
} expanded[N_MAX];
static struct proto_page_run rows[N_MAX];
static uint64_t entries[N_MAX], flags[N_MAX], counts[N_MAX];

/* As a reader of proto.h would do it. */
static size_t expand(const struct proto_page_run *run, size_t n)
{
	for (int64_t i = 0; i < run->pages && n < N_MAX; i++, n++) {
		uint64_t moved = (uint64_t)(i * run->step);
		uint64_t pfn = (run->entry & PAGE_FRAME) + moved;
		uint64_t offset = (run->entry >> 5 & ((1ull << 50) - 1)) + moved;

		expanded[n].address = run->address + (uint64_t)i * 4096;
		expanded[n].flags = run->flags;
		expanded[n].count = run->mapcount;
		if (run->entry & RAM)
			expanded[n].entry = (run->entry & ~PAGE_FRAME) | pfn;
		else
			expanded[n].entry = (run->entry & ~(PAGE_FRAME & ~31ull)) | offset << 5;
	}
	return n;
}

static bool add_page(struct page_runs *runs, uint64_t address, size_t i)
{
	return page_runs_add(runs, address + i * 4096, entries[i], flags[i], counts[i]);
}

/* How many runs n pages at that address become, with room for all. */
static size_t runs_of(size_t n)
{
	struct page_runs runs = { rows, 0, N_MAX };
	size_t taken = 0;

	for (size_t i = 0; i < n; i++)
		taken += add_page(&runs, 0x400000, i);
	ok(taken == n, "all pages are taken");
	return runs.n;
}

static size_t pages_of(size_t n_runs)
{
	size_t n = 0;

	for (size_t i = 0; i < n_runs; i++)
		n = expand(&rows[i], n);
	return n;
}

/* Are the expanded pages those of the arrays, from this address on? Counts pages that differ. */
static size_t differing(uint64_t address, size_t n, size_t n_expanded)
{
	size_t bad = 0, at = 0;

	for (size_t i = 0; i < n; i++) {
		bool in_ram = entries[i] & RAM;
		uint32_t count = counts[i] < UINT32_MAX ? (uint32_t)counts[i] : UINT32_MAX;

		if (!(entries[i] & (RAM | SWAP)))
			continue;
		bad += at >= n_expanded || expanded[at].address != address + i * 4096 ||
		       expanded[at].entry != entries[i] || expanded[at].flags != (in_ram ? flags[i] : 0) ||
		       expanded[at].count != (in_ram ? count : 0);
		at++;
	}
	return bad + (at != n_expanded);
}

static void set(size_t i, uint64_t entry, uint64_t flag, uint64_t count)
{
	entries[i] = entry;
	flags[i] = flag;
	counts[i] = count;
}

#define SLOT(type, offset) (SWAP | (uint64_t)(offset) << 5 | (type))
#define SLOT_LAST          ((1ull << 50) - 1)
#define SOFT               (1ull << 55)
#define FILED              (1ull << 61)

/* Four pages, and the runs they become; that the step is theirs shows when these are expanded again. */
static const struct {
	const char *what;
	size_t runs;
	uint64_t entries[4];
} fours[] = {
	{ "frames one after the other are one run", 1, { RAM | 7, RAM | 8, RAM | 9, RAM | 10 } },
	{ "frames that go down are one run", 1, { RAM | 10, RAM | 9, RAM | 8, RAM | 7 } },
	{ "down to frame 0", 1, { RAM | 3, RAM | 2, RAM | 1, RAM } },
	{ "one frame again and again is one run", 1, { RAM | 7, RAM | 7, RAM | 7, RAM | 7 } },
	{ "frames two apart are no run", 4, { RAM | 7, RAM | 9, RAM | 11, RAM | 13 } },
	{ "a step that changes ends the run", 2, { RAM | 7, RAM | 8, RAM | 7, RAM | 6 } },
	{ "a step that stops ends the run", 2, { RAM | 7, RAM | 8, RAM | 8, RAM | 8 } },
	{ "a hole ends the run", 2, { RAM | 7, RAM | 8, 0, RAM | 10 } },
	{ "no pages are no run", 0, { 0, 1ull << 55, 1ull << 56, 7 } },
	{ "the largest frame ends the run", 2, { RAM | (PAGE_FRAME - 1), RAM | PAGE_FRAME, RAM, RAM | 1 } },
	{ "so does another bit of the entry",
	  3,
	  { RAM | 7, RAM | SOFT | 8, RAM | SOFT | 9, RAM | FILED | 10 } },
	{ "slots one after the other", 1, { SLOT(3, 100), SLOT(3, 101), SLOT(3, 102), SLOT(3, 103) } },
	{ "slots that go down are one run", 1, { SLOT(0, 3), SLOT(0, 2), SLOT(0, 1), SLOT(0, 0) } },
	{ "another swap device", 2, { SLOT(3, 100), SLOT(3, 101), SLOT(4, 102), SLOT(4, 103) } },
	{ "a device's number is no step", 4, { SLOT(1, 100), SLOT(2, 100), SLOT(3, 100), SLOT(4, 100) } },
	{ "swap and RAM are apart", 3, { RAM | 7, SLOT(0, 8), SLOT(0, 9), RAM | 10 } },
	{ "the largest slot", 2, { SLOT(0, SLOT_LAST - 1), SLOT(0, SLOT_LAST), SLOT(0, 0), SLOT(0, 1) } },
};

static void test_fours(void)
{
	for (size_t f = 0; f < sizeof(fours) / sizeof(fours[0]); f++) {
		for (size_t i = 0; i < 4; i++)
			set(i, fours[f].entries[i], 1, 1);

		size_t n = runs_of(4);

		is_int(n, fours[f].runs, fours[f].what);
		is_int(differing(0x400000, 4, pages_of(n)), 0, "and nothing is lost");
	}
	set(0, RAM | 5, 1, 1);
	is_int(runs_of(1), 1, "a lone page is a run");
	is_int(rows[0].step, 0, "of step 0");
}

static void test_differences(void)
{
	for (size_t i = 0; i < 4; i++)
		set(i, RAM | (7 + i), i < 2 ? 1 : 2, i < 3 ? 1 : 2);
	is_int(runs_of(4), 3, "other flags, another mapcount end the run");
	for (size_t i = 0; i < 4; i++)
		set(i, RAM | (7 + i), 1, i < 2 ? UINT32_MAX : 1ull << 40);
	is_int(runs_of(4), 1, "a mapcount beyond 32 bits is the largest of them");
	is_int(rows[0].mapcount, UINT32_MAX, "which is told");
}

static void test_longest(void)
{
	for (int down = 0; down < 2; down++) {
		for (size_t i = 0; i < 140000; i++)
			set(i, RAM | (down ? 200000 - i : 1000 + i), 1, 1);
		is_int(runs_of(140000), 3, "a run has no more than 65535 pages, upwards or downwards");
		ok(rows[0].pages == 65535 && rows[1].pages == 65535 && rows[2].pages == 140000 - 2 * 65535,
		   "the next goes on from there");
		is_int(differing(0x400000, 140000, pages_of(3)), 0, "and nothing is lost");
	}
}

/* A few bits differ now and then; places go up, down, stay, jump. */
static void make_pages(size_t n)
{
	uint64_t place = 1000, step = 1, kind = 0, flag = 0, count = 1;

	for (size_t i = 0; i < n; i++) {
		if (random() % 8 == 0)
			step = (uint64_t)(random() % 4) - 1;
		if (random() % 16 == 0)
			kind = (uint64_t)random() % 4;
		if (random() % 16 == 0)
			flag = (uint64_t)random() % 3;
		if (random() % 16 == 0)
			count = random() % 8 ? (uint64_t)random() % 3 : 1ull << 33;
		place = random() % 32 ? (place + step) & (PAGE_FRAME >> 5) : (uint64_t)random();
		set(i, kind < 2 ? RAM | place | kind << 61 : kind == 2 ? SLOT(flag, place) : 0, flag, count);
	}
}

/* With so little room that it fills up now and then. */
static void test_random(void)
{
	size_t bad = 0, together = 0, runs_total = 0, pages_total = 0;

	srandom(5);
	for (int round = 0; round < 300; round++) {
		size_t n = 1 + (size_t)random() % 3000, n_expanded = 0;
		struct page_runs runs = { rows, 0, 1 + (size_t)random() % 100 };

		make_pages(n);
		for (size_t i = 0; i < n; i++)
			while (!add_page(&runs, 0x1000, i)) {
				together += runs.n != runs.max;
				for (size_t k = 0; k < runs.n; k++)
					n_expanded = expand(&rows[k], n_expanded);
				runs_total += runs.n;
				runs.n = 0;
			}
		for (size_t k = 0; k < runs.n; k++)
			n_expanded = expand(&rows[k], n_expanded);
		runs_total += runs.n;
		pages_total += n_expanded;
		bad += differing(0x1000, n, n_expanded);
	}
	is_int(bad, 0, "runs of pages at random expand to those pages");
	is_int(together, 0, "it stops only when there is no room");
	ok(runs_total * 2 < pages_total, "and runs are shorter than the pages");
}

TAP_MAIN(test_fours, test_differences, test_longest, test_random)
