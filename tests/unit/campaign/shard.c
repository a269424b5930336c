/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "tests/unit/results.h"

/* Shards of a plan: together they are the plan, none has what another has, and they take about as long. */

static void is_refused(const char *text)
{
	struct shard shard = { 7, 7 };

	is_err_kind(shard_parse(text, &shard), ERR_USAGE, "such as 2/8",
		    test_format("'%s' is no shard", text));
	is_int(shard.k, 7, "and nothing comes of it");
}

static void test_parse(void)
{
	static const char *const wrong[] = { "",
					     "1",
					     "/",
					     "1/",
					     "/2",
					     "0/2",
					     "3/2",
					     "1/0",
					     "-1/2",
					     "1/-2",
					     "+1/2",
					     " 1/2",
					     "1/2 ",
					     "1/2/3",
					     "1.0/2",
					     "a/b",
					     "1/2x",
					     "2,4",
					     "1/10001",
					     "99999999999999999999/1",
					     "1/4294967297" };
	struct shard shard;

	must(shard_parse("2/8", &shard));
	ok(shard.k == 2 && shard.n == 8, "a shard and how many there are");
	must(shard_parse("1/1", &shard));
	ok(shard.k == 1 && shard.n == 1, "the only one");
	must(shard_parse("10000/10000", &shard));
	is_int(shard.k, SHARDS_MAX, "the most there may be");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		is_refused(wrong[i]);
}

static uint64_t load_of(const uint64_t *ms, const unsigned *share, size_t n, unsigned which)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += share[i] == which ? ms[i] : 0;
	return sum;
}

/* Whatever the times, the shards differ by no more than the longest cell. */
static void test_balanced(void)
{
	enum { CELLS = 200 };
	uint64_t ms[CELLS], seed = 1;
	unsigned share[CELLS], bad = 0, unbalanced = 0;

	for (int round = 0; round < 500; round++) {
		unsigned shards = 1 + round % 37;
		uint64_t longest = 0, least = UINT64_MAX, most = 0;

		for (int i = 0; i < CELLS; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			ms[i] = (seed >> 40) % (round % 2 ? 100000 : 5);
			longest = ms[i] > longest ? ms[i] : longest;
		}
		shard_assign(ms, CELLS, shards, share);
		for (int i = 0; i < CELLS; i++)
			bad += share[i] >= shards;
		for (unsigned k = 0; k < shards; k++) {
			uint64_t load = load_of(ms, share, CELLS, k);

			least = load < least ? load : least;
			most = load > most ? load : most;
		}
		/* And as many milliseconds as there are cells, each of which counts as one. */
		unbalanced += most - least > longest + CELLS;
	}
	is_int(bad, 0, "every cell has a shard that there is");
	is_int(unbalanced, 0, "no shard is longer than another by more than a cell");
}

static void test_known(void)
{
	static const uint64_t ms[] = { 100, 900, 100, 500, 500, 100 };
	static const unsigned want[] = { 0, 0, 0, 1, 1, 1 };
	unsigned share[6];

	shard_assign(ms, 6, 2, share);
	ok(memcmp(share, want, sizeof(want)) == 0, "the longest first, each to who has the least to do");

	static const uint64_t same[] = { 5, 5, 5 };
	static const unsigned in_order[] = { 0, 1, 2 };

	shard_assign(same, 3, 5, share);
	ok(memcmp(share, in_order, sizeof(in_order)) == 0,
	   "of equal ones the first; no shard has two of three");

	static const uint64_t none[] = { 0, 0, 0 };

	shard_assign(none, 3, 3, share);
	ok(memcmp(share, in_order, sizeof(in_order)) == 0, "cells of no time are cells");
	shard_assign(NULL, 0, 3, share);
	ok(true, "no cells, no harm");
}

/* Four guests: a threshold and two growths each. */
static size_t make_cells(struct cell cells[12])
{
	size_t n = 0;

	for (unsigned x = 128; x <= 512; x += 128) {
		struct cell *z = &cells[n];

		*z = test_cell((unsigned)n, x, "threshold", "ballast", "-", NULL);
		cells[n + 1] = test_cell((unsigned)n + 1, x, "growth", "strings", "python3", z);
		cells[n + 2] = test_cell((unsigned)n + 2, x, "growth", "strings", "pypy3", z);
		for (int i = 0; i < 3; i++)
			test_cell_set(&cells[n + i], "ramp_kib_s", json_integer(65536));
		n += 3;
	}
	return n;
}

/* Which shard has each position, by asking for one shard after the other; the number of cells given out. */
static size_t give_out(unsigned shards, unsigned share_of[12])
{
	size_t given = 0;

	for (unsigned k = 1; k <= shards; k++) {
		struct shard shard = { k, shards };
		struct cell cells[12];
		size_t n = shard_select(&shard, cells, make_cells(cells));

		given += n;
		for (size_t i = 0; i < n; i++) {
			share_of[cells[i].position] = k;
			ok(i == 0 || cells[i].position > cells[i - 1].position, "cells keep their order");
			cell_deinit(&cells[i]);
		}
	}
	return given;
}

static void test_select(void)
{
	for (unsigned shards = 1; shards <= 14; shards += shards < 4 ? 1 : 5) {
		unsigned share_of[12] = { 0 }, again[12] = { 0 }, missing = 0;

		is_int(give_out(shards, share_of), 12, "the shards have as many cells as the plan");
		give_out(shards, again);
		for (int i = 0; i < 12; i++)
			missing += share_of[i] == 0;
		is_int(missing, 0, "every cell is in one of them");
		ok(memcmp(share_of, again, sizeof(again)) == 0, "and always in the same one");
	}

	struct shard whole = { 0 };
	struct cell cells[12];
	size_t n = shard_select(&whole, cells, make_cells(cells));

	is_int(n, 12, "without shards all cells stay");
	for (size_t i = 0; i < n; i++)
		cell_deinit(&cells[i]);
}

/* A search has some ten probes, so the four thresholds go to four machines. */
static void test_by_time(void)
{
	unsigned share_of[12] = { 0 };

	give_out(4, share_of);
	for (int i = 0; i < 12; i += 3)
		for (int j = 0; j < i; j += 3)
			ok(share_of[i] != share_of[j], "no machine has two of the four searches");
}

/* One search takes as long as four growths, each of which is a probe that takes longer than one of the
 * search. */
static void test_by_probes(void)
{
	static const char *const interpreters[] = { "a", "b", "c", "d" };
	struct cell cells[5] = { test_cell(0, 128, "threshold", "ballast", "-", NULL) };
	struct shard shard = { 1, 2 };

	for (unsigned i = 0; i < 4; i++)
		cells[i + 1] = test_cell(i + 1, 128, "growth", "strings", interpreters[i], cells);
	for (int i = 0; i < 5; i++)
		test_cell_set(&cells[i], "ramp_kib_s", json_integer(65536));

	size_t n = shard_select(&shard, cells, 5);

	ok(n == 1 && cells[0].position == 0, "a cell weighs what all of its probes take");
	for (size_t i = 0; i < n; i++)
		cell_deinit(&cells[i]);
}

TAP_MAIN(test_parse, test_known, test_balanced, test_select, test_by_time, test_by_probes)
