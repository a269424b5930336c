/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/report/report.h"

/*
 * What workloads cost over their life, in a report over made-up probes whose every number is known. Runs in
 * the root of the source tree.
 */

static void add_sample(struct probe_record *r, uint64_t t_us, uint64_t load_kib, uint64_t load_pages)
{
	struct proto_sample *s = array_push(r->samples, r->samples_count, r->samples_cap);

	s->t_us = t_us;
	s->load_kib = load_kib;
	s->load_pages = load_pages;
}

/* It grows for 4 s to 40 MiB (and what it holds more besides), rests, and a ballast comes. */
static void add_series(struct probe_record *r, unsigned more_kib)
{
	add_sample(r, 1000000, 0, 0);
	add_sample(r, 2000000, 10240 + more_kib, 0);
	add_sample(r, 4000000, 30720 + more_kib, 0);
	add_sample(r, 6000000, 40960 + more_kib, 0);
	add_sample(r, 9000000, 90000, 0);
	add_sample(r, 9500000, 90000, 100);
}

static void put_fill(const struct cell *cell, unsigned replicate, unsigned long load_kib, unsigned more_kib)
{
	struct probe_record r = test_probe(cell, replicate, 0, PROBE_DISPLACEMENT, 0, OUTCOME_ONSET);
	struct snapshot *s;

	r.load_pages = 100 * 256 + replicate * 256;
	test_heap(test_snapshot(&r, "baseline"), 7, 1, 0);
	test_heap(test_snapshot(&r, "build-1"), 7, load_kib / 4 + more_kib, 0);
	test_heap(test_snapshot(&r, "build-2"), 7, load_kib * 2, 0);
	s = test_snapshot(&r, "load");
	test_heap(s, 7, load_kib, 0);
	test_evidence(s, 0, "cpu.stat", "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n");
	test_evidence(s, 0, "checkpoints",
		      replicate
			      ? "2000000 7 build-1 gcminor=10,4000,900\n4000000 7 full cpu_ms=700\n6000000 7 "
				"round-1 gcminor=30,9000,1200 gcstep=2,7000,5000\n"
			      : "4000000 7 full cpu_ms=900\n6000000 7 round-2 gcminor=20,7000,3200 "
				"gcstep=2,7000,4000\nhostile\n");
	test_heap(test_snapshot(&r, "onset"), 7, 200000, 5000);
	add_series(&r, more_kib);
	put_probe(r);
}

/* Growth has no checkpoints: onset after 1.5 s. */
static void put_grown(const struct cell *cell)
{
	struct probe_record r = test_probe(cell, 0, 0, PROBE_GROWTH, 0, OUTCOME_ONSET);
	struct snapshot *s = test_snapshot(&r, "onset");

	test_heap(s, 7, 5000, 100);
	test_evidence(s, 0, "cpu.stat", "usage_usec 900000\n");
	add_sample(&r, 1000000, 0, 0);
	add_sample(&r, 1500000, 1024, 0);
	add_sample(&r, 2500000, 3072, 0);
	add_sample(&r, 3500000, 9999, 0);
	put_probe(r);
}

static const struct report_space_time *find(const struct report *r, const char *method, const char *workload)
{
	for (size_t i = 0; i < r->space_times_n; i++)
		if (strcmp(r->space_times[i].cell->method, method) == 0 &&
		    strcmp(r->space_times[i].cell->workload, workload) == 0)
			return &r->space_times[i];
	must(err_new("no cell of %s %s", method, workload));
	return NULL;
}

static void check_fill(const struct report *r)
{
	const struct report_space_time *c = find(r, "displacement", "burst");

	is_int(c->n, 2, "both probes");
	is_near(c->mean.max_kib, 40960 + 512, 1e-9,
		"the largest footprint until its last checkpoint, mean of both");
	is_near(c->mean.mean_kib, (20480 * 2 + 35840 * 2) / 4.0 + 512, 1e-9, "the mean over time");
	is_near(c->mean.wall_ms, 4000, 1e-9, "from its first memory to its last checkpoint");
	is_near(c->mean.full_wall_ms, 2000, 1e-9, "to where it was full");
	is_near(c->mean.full_cpu_ms, 800, 1e-9, "CPU time until then");
	is_near(c->mean.cpu_ms, 2500, 1e-9, "CPU time of the cgroup");
	is_near(c->mean.gc[GC_MINOR].n, 25, 1e-9, "pauses: the mean");
	is_near(c->mean.gc[GC_MINOR].max_us, 3200, 0, "and the longest");
	is_near(c->mean.gc[GC_STEP].total_us, 7000, 0, "of each kind");
	ok(isnan(c->mean.gc[GC_0].n), "that there is");
	is_str(r->metrics[1].name, "rss", "all metrics");
	is_near(c->metrics[1].at_checkpoints.max_kib, 40000, 1e-9, "the largest of the checkpoints");
	is_near(c->metrics[1].at_checkpoints.mean_kib, ((5000 + 512) + 40000 + 20000) / 3.0, 1e-9,
		"the mean");
	is_near(c->metrics[1].over_bare_kib, 17000, 1e-9, "over bare");
	is_near(c->zeq_over_bare_kib, -512, 1e-9, "Zeq over bare: here the ballast had more room");
}

static void check_others(const struct report *r)
{
	const struct report_space_time *c = find(r, "displacement", "bare");

	ok(isnan(c->metrics[1].over_bare_kib) && isnan(c->zeq_over_bare_kib), "bare is not over itself");
	c = find(r, "growth", "strings");
	is_near(c->mean.max_kib, 3072, 1e-9, "growth: until onset");
	is_near(c->mean.wall_ms, 1000, 1e-9, "from the first memory");
	is_near(c->mean.cpu_ms, 900, 1e-9, "CPU time at onset");
	ok(isnan(c->metrics[1].over_bare_kib), "a bare of another method is none");
	ok(isnan(c->metrics[1].at_checkpoints.max_kib) && c->metrics[1].at_checkpoints.n == 0,
	   "no checkpoints, no values");
	ok(isnan(c->mean.gc[GC_MINOR].n) && isnan(c->mean.gc[GC_MINOR].max_us), "nor pauses");
	is_int(r->space_times_n, 4, "the ballast is no workload");
	ok(isnan(r->space_times[3].metrics[1].over_bare_kib), "a bare of another activity is none");
}

static void check_forms(const struct report *r)
{

	ok(widest_line(text_of(r)) <= 100, "the text fits 100 columns");
	has_str(text_of(r),
		"     40.5    28.0      0.8     2.0      2.5     4.0       5.0      15.0  minor: 25, step: "
		"2\n",
		"a line of what it costs");
	has_str(text_of(r), "   -       -       -       -    39.1    21.3       -       -\n",
		"checkpoints: metrics that there are");
	has_str(text_of(r), "           16.6              -        -0.5\n", "over bare");
	is_str(string_of(r, "space_time/1/workload"), "burst", "JSON has cells");
	is_near(number_of(r, "space_time/1/footprint_max_mib"), 40.5, 1e-9, "with sizes");
	is_near(number_of(r, "space_time/1/pauses/step/longest_ms"), 5, 1e-9, "pauses of each kind");
	ok(!json_of(r, "space_time/1/pauses/0"), "none of kinds that there are not");
	is_near(number_of(r, "space_time/1/pauses/all/n"), 27, 1e-9, "and all");
	is_int(json_array_size(json_of(r, "space_time/1/metrics")), 2, "and every metric");
}

static void test_all(void)
{
	cells[0] = test_cell(1, 256, "displacement", "bare", "pypy3", &z);
	cells[1] = test_cell(2, 256, "displacement", "burst", "pypy3", &z);
	cells[2] = test_cell(3, 256, "growth", "strings", "pypy3", &z);
	cells[3] = test_cell(4, 256, "displacement", "burst", "pypy3", &z);

	cells[1].replicates = 2;
	/* The key of a made-up cell does not follow from its identity. */
	cells[3].key[0] = cells[3].key[0] == '0' ? '1' : '0';
	test_cell_set(&cells[3], "activity", json_string("frozen"));
	begin(&z);

	put_ramp(&z, 0, 180);
	put_fill(&cells[0], 0, 3000, 0);
	put_fill(&cells[1], 0, 20000, 0);
	put_fill(&cells[1], 1, 20000, 1024);
	put_grown(&cells[2]);
	put_fill(&cells[3], 0, 20000, 0);

	cleanup_report struct report *r = finish();

	check_fill(r);
	check_others(r);
	check_forms(r);
}

RUN_REPORTS(test_all)
