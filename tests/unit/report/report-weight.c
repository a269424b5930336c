/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/report/report.h"

/*
 * What weights are made of, in a report over made-up probes of guests in which a ballast alone comes to 200
 * MiB. Runs in the root of the source tree.
 */

/* A load of 50 MiB that it could not give back at rest. */
#define HELD_MIB 50

static void add_sample(struct probe_record *r, double held_mib, double ballast_mib, double file_mib)
{
	struct proto_sample *s = array_push(r->samples, r->samples_count, r->samples_cap);

	s->t_us = 1000000 + (r->samples_count - 1) * 1500000;
	s->load_pages = (uint64_t)(ballast_mib * 256);
	s->nr_file_pages = (uint64_t)(file_mib * 256);
	s->nr_free_pages = 1000;
	s->load_stat_active_anon_kib = (uint64_t)(held_mib * 1024) - 100;
	s->load_stat_kernel_kib = 100;
}

/* A ballast came to its onset; of a ramp alone the load is nothing. */
static void put(const struct cell *cell, unsigned replicate, enum probe_kind kind, double ballast_mib,
		double drift_mib, double file_mib)
{
	struct probe_record r = test_probe(cell, replicate, 0, kind, 0, OUTCOME_ONSET);
	double held_mib = kind == PROBE_RAMP ? 1 : HELD_MIB;

	add_sample(&r, held_mib, 0, 100);
	add_sample(&r, held_mib + drift_mib, ballast_mib, file_mib);
	r.load_pages = (uint64_t)(ballast_mib * 256);
	if (kind == PROBE_DISPLACEMENT)
		test_heap(test_snapshot(&r, "load"), 7, 1024 * HELD_MIB, 0);
	put_probe(r);
}

static struct cell weighed(unsigned position, const char *interpreter, const char *way)
{
	struct cell cell = test_cell(position, 256, "displacement", "strings", interpreter, &z);

	cell.replicates = 3;
	cell.key[0] = (char)('0' + position);
	test_cell_set(&cell, "weighing", json_string(way));
	return cell;
}

/* The ballast of a load that weighs so much. */
#define BESIDE(mib) (200 - (mib))

static void test_parts(void)
{
	cells[0] = weighed(1, "python3", "usual");
	cells[1] = weighed(2, "pypy3", "usual");
	cells[2] = weighed(3, "lua", "usual");
	cells[3] = weighed(4, "perl", "usual");
	begin(&z);
	put(&z, 0, PROBE_RAMP, 200, 0, 1);
	/* With 4 MiB of page cache left, and half a MiB more of its own, it takes 54.5 * 512 / 513. */
	put(&cells[0], 0, PROBE_DISPLACEMENT, BESIDE(54.5), 0.5, 5);
	put(&cells[1], 0, PROBE_DISPLACEMENT, BESIDE(56), 2, 5);
	put(&cells[2], 0, PROBE_DISPLACEMENT, BESIDE(58), 0, 5);
	put(&cells[3], 0, PROBE_DISPLACEMENT, BESIDE(54), 0, 5);
	put(&cells[3], 1, PROBE_DISPLACEMENT, BESIDE(55), 0, 6);
	put(&cells[3], 2, PROBE_DISPLACEMENT, BESIDE(90), 0, 41);

	cleanup_report struct report *r = finish();
	const struct report_z *w = &row_of(r, "python3", "rss")->z;

	is_near(w->kib / 1024, 54, 0.01, "the weight is without what the load grew by later");
	is_near(w->parts.held_kib / 1024, HELD_MIB, 1e-9, "what it held at rest");
	is_near(w->parts.file_kib / 1024, 4, 1e-9, "page cache that is left beside it");
	is_near(report_closure_kib(w) / 1024, 54.5 - 54.5 * 512 / 513, 0.01, "it is the sum of its parts");
	is_str(row_of(r, "python3", "rss")->flags, "", "without a doubt");
	has_str(row_of(r, "pypy3", "rss")->flags, "drifting", "one that grew by more is drifting");
	has_str(row_of(r, "lua", "rss")->flags, "not-closed", "one whose parts lack something is not closed");
	has_str(row_of(r, "perl", "rss")->flags, "not-repeatable", "replicates that differ have a flag");
	is_near(row_of(r, "perl", "rss")->z.kib / 1024, 55, 0.01, "and the weight is their median");
	is_int((long long)r->agreements[0].agreement.clusters, 3,
	       "the drifting one takes no part in the agreement");
	has_str(text_of(r), "   54.0  0.0 %   50.0   +4.0   -0.1   +0.1     +0.5    +0.0    -4.0",
		"the text tells the parts");
	ok(widest_line(text_of(r)) <= 100, "in 100 columns");
	has_str(csv_of(r), ",0.500,0.1", "CSV has drift and closure");
	is_near(number_of(r, "weights/0/cache_mib"), 4, 1e-9, "JSON has the parts");
	ok(json_is_true(json_of(r, "weights/1/is_drifting")), "and who drifts");
}

/* 1 MiB more than the usual way: 3 weights each, 1 MiB apart; Welch's interval with 4 degrees of freedom. */
static void test_ways(void)
{
	cells[0] = weighed(1, "python3", "usual");
	cells[1] = weighed(2, "python3", "unseen");
	cells[2] = weighed(3, "pypy3", "unseen");
	begin(&z);
	put(&z, 0, PROBE_RAMP, 200, 0, 1);
	for (unsigned i = 0; i < 3; i++) {
		put(&cells[0], i, PROBE_DISPLACEMENT, BESIDE(54 + i), 0, 5);
		put(&cells[1], i, PROBE_DISPLACEMENT, BESIDE(55 + i), 0, 5);
		put(&cells[2], i, PROBE_DISPLACEMENT, BESIDE(60 + i), 0, 5);
	}

	cleanup_report struct report *r = finish();

	has_str(text_of(r),
		"     +1.0  [-1.3, +3.3]        3   3  256 MiB: strings on python3, 1 process, size small, weighed unseen",
		"what the way changes, with its interval");
	ok(!strstr(text_of(r), "3   3  256 MiB: strings on pypy3"),
	   "nothing of a load that was weighed in no other way");
	is_int((long long)r->agreements[0].agreement.clusters, 1, "such cells say nothing of metrics");
}

RUN_REPORTS(test_parts, test_ways)
