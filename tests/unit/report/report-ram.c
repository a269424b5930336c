/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/report/report.h"

/*
 * Method ram in a report: the guest that was searched for, the ballast that the line through the thresholds
 * says of it, and what a report says when no guest was found. Runs in the root of the source tree.
 */

/* Clear answers around Z*. */
static void put_threshold(const struct cell *guest, unsigned z_mib)
{
	put_cell(guest);
	put_ramp(guest, 0, z_mib);
	for (unsigned i = 0; i < 6; i++)
		put_probe(test_probe(guest, 0, i + 1, PROBE_FIXED, z_mib * 1024 + (i % 2 ? 512 : 0) - 256,
				     i % 2 ? OUTCOME_ONSET : OUTCOME_NO_ONSET));
}

/* A guest of that size, which swaps with the load of 140 MiB or does not. */
static void put_guest(const struct cell *ram, unsigned seq, unsigned x_mib, bool swaps)
{
	struct probe_record r =
		test_probe(ram, 0, seq, PROBE_RAM, x_mib * 1024, swaps ? OUTCOME_ONSET : OUTCOME_NO_ONSET);

	r.load_pages = 140 * 256;
	if (!swaps)
		test_heap(test_snapshot(&r, "load"), 7, 140 * 1024 + x_mib, 0);
	put_probe(r);
}

/** A report on a load that swaps in guests of up to so many MiB, when guests of these sizes are asked. */
static struct report *report_on(const unsigned *sizes, size_t n, unsigned swaps_to_mib)
{
	struct cell guests[] = { test_cell(0, 160, "threshold", "ballast", "-", NULL),
				 test_cell(1, 256, "threshold", "ballast", "-", NULL) };
	cleanup_cell struct cell ram = test_cell(2, 0, "ram", "strings", "python3", &guests[0]);

	json_object_del(ram.identity, "x_mib");
	test_cell_set(&ram, "x_lo_mib", json_integer(160));
	test_cell_set(&ram, "x_hi_mib", json_integer(256));
	begin(NULL);
	put_threshold(&guests[0], 94);
	put_threshold(&guests[1], 190);
	put_cell(&ram);
	for (size_t i = 0; i < n; i++)
		put_guest(&ram, (unsigned)i, sizes[i], sizes[i] <= swaps_to_mib);
	cell_deinit(&guests[0]);
	cell_deinit(&guests[1]);
	return finish();
}

static const struct report_gap *find_gap(const struct report *r)
{
	for (size_t i = 0; i < r->gaps_n; i++)
		if (cell_is(r->gaps[i].cell, METHOD_RAM))
			return &r->gaps[i];
	return NULL;
}

static void test_found(void)
{
	static const unsigned sizes[] = { 256, 200, 201, 200, 201, 200, 201, 200, 201 };
	cleanup_report struct report *r = report_on(sizes, sizeof(sizes) / sizeof(sizes[0]), 200);
	const struct report_row *row = row_of(r, "python3", "rss");

	is_near(row->z.x_mib, 200.5, 0.5, "X* is between the guests that swap and those that do not");
	is_near(row->z.kib / 1024, 94 + 40.5, 1, "Z* is what the line says of it");
	is_near(row->y_kib, 140 * 1024 + 201, 0, "Y is that of the smallest guest that does not swap");
	ok(!find_gap(r), "nothing is missing");
}

static void test_none(void)
{
	static const unsigned sizes[] = { 256, 255, 255, 256, 255, 255, 256 };
	cleanup_report struct report *r = report_on(sizes, sizeof(sizes) / sizeof(sizes[0]), 256);
	const struct report_row *row = row_of(r, "python3", "rss");
	const struct report_gap *gap = find_gap(r);

	ok(isnan(row->z.x_mib) && isnan(row->z.kib), "when all guests swap, no size is told");
	has_str(row->flags, "no-threshold", "and a flag says so");
	if (ok(gap != NULL, "it is listed as not measured"))
		has_str(gap->reason, "every guest swapped up to 256 MiB", "with its reason");
}

RUN_REPORTS(test_found, test_none)
