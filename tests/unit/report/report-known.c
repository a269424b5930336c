/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/report/report.h"

/*
 * Displacement and known-answer loads in a report: Zeq, its range, what metrics must say, and the tables,
 * over made-up probes whose every number is known. Runs in the root of the source tree.
 */

/* A load of 48 MiB, measured on a ballast that grows by 1.25 MiB a tick. */
static struct cell known_cell(unsigned position, const char *kind, const struct cell *threshold)
{
	struct cell cell = test_cell(position, 256, "displacement", kind, "ballast", threshold);
	bool is_forked = strcmp(kind, "forked-cow") == 0;

	test_cell_set(&cell, "kib", json_integer(48 * 1024));
	test_cell_set(&cell, "children", json_integer(is_forked ? 4 : 0));
	test_cell_set(&cell, "dirty_pct", json_integer(is_forked ? 25 : 0));
	test_cell_set(&cell, "size", json_string("48M"));
	test_cell_set(&cell, "ramp_kib_s", json_integer(64000));
	test_cell_set(&cell, "tick_ms", json_integer(20));
	return cell;
}

/* The load alone has load_kib; at onset, where it is not looked at, other numbers. */
static void put_fill(const struct cell *cell, unsigned replicate, double mib, unsigned long load_kib)
{
	struct probe_record r = test_probe(cell, replicate, 0, PROBE_DISPLACEMENT, 0, OUTCOME_ONSET);

	r.load_pages = (uint64_t)(mib * 256);
	test_heap(test_snapshot(&r, "load"), 7, load_kib, 0);
	test_heap(test_snapshot(&r, "onset"), 7, 200000, 5000);
	put_probe(r);
}

static void check_numbers(const struct report *r)
{
	const struct report_row *row = row_of(r, "private-dirty", "rss");

	is_near(row->z.kib / 1024, 48.25, 1e-9,
		"Zeq is the mean ramp alone less the mean ramp beside the load");
	is_near(row->z.lo_kib / 1024, 180 - 132.5 - 1.25, 1e-9, "its range has the replicates and a step");
	is_near(row->z.hi_kib / 1024, 181 - 132 + 1.25, 1e-9, "on both sides");
	is_near(row->y_kib, 49252, 1e-9, "Y is of the load alone");
	is_int(row->n, 2, "of both replicates");
	is_near(row->expected_kib, 49152, 1e-9, "and it must be the load's size");
	is_near(row->diff_pct, 100 * (49252.0 / (48.25 * 1024) - 1), 1e-9, "compared with Zeq");

	row = row_of(r, "zero-read", "rss");
	is_near(row->z.kib / 1024, -0.5, 1e-9, "a load of nothing may weigh less than that");
	ok(isnan(row->diff_pct), "and nothing is told in percent of it");
	is_near(row->expected_kib, 0, 0, "no metric of residence must see it");

	row = row_of(r, "forked-cow", "rss");
	is_near(row->expected_kib, 4 * 49152, 1e-9, "rss must count shared memory once for each process");
	ok(isnan(row->z.kib) && isnan(row->y_kib), "what was not measured has neither Y nor Zeq");
	has_str(row->flags, "no-onset", "and says why");

	row = row_of(r, "ballast", "rss");
	ok(isnan(row->expected_kib), "of other loads nothing is expected");
}

static void check_text(const struct report *r)
{
	ok(widest_line(text_of(r)) <= 110, "the text fits 110 columns");
	has_str(text_of(r), "Known answers at X = 256 MiB", "known answers have tables of their own");
	has_str(text_of(r), "private-dirty 48M      48.0    48.3  [46.3, 50.3]", "with weight and Zeq");
	has_str(text_of(r), "rss                       +0.1=  +8.0      -",
		"a metric is right, or wrong by so much, or unknown");
	ok(!strstr(text_of(r), "private-dirty on ballast"), "and no group like others");
	ok(!strstr(text_of(r), "All workloads together"), "they do not choose the best metric");
	has_str(form_of(r, report_json), "\"expected_mib\": 48.0", "JSON has what a metric must say");
	has_str(csv_of(r),
		"displacement,private-dirty,ballast,1,independent,48M,rss,48.098,48.098,48.098,"
		"48.250,46.250,50.250,-0.152,-0.32,2,",
		"CSV has Zeq and its range as z");
}

static void test_known(void)
{
	cells[0] = known_cell(1, "private-dirty", &z);
	cells[1] = known_cell(2, "zero-read", &z);
	cells[2] = known_cell(3, "forked-cow", &z);

	z.replicates = cells[0].replicates = 2;
	begin(&z);
	put_ramp(&z, 0, 180);
	put_ramp(&z, 1, 181);
	put_fill(&cells[0], 0, 132, 49252);
	put_fill(&cells[0], 1, 132.5, 49252);
	put_fill(&cells[1], 0, 181, 8192);

	cleanup_report struct report *r = finish();

	check_numbers(r);
	check_text(r);
}

static void test_no_ramp(void)
{
	cleanup_cell struct cell cell = known_cell(1, "shmem", &z);

	begin(&z);
	put_cell(&cell);
	put_fill(&cell, 0, 132, 100);

	cleanup_report struct report *r = finish();
	const struct report_row *row = row_of(r, "shmem", "rss");

	ok(isnan(row->z.kib) && isnan(row->diff_kib), "without a ramp of the guest there is no Zeq");
	has_str(row->flags, "z-missing", "and the row says so");
	is_near(row->y_kib, 100, 0, "Y is there all the same");
}

RUN_REPORTS(test_known, test_no_ramp)
