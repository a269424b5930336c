/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/report/report.h"

/* Which way reclaim went, in a report over made-up probes. Runs in the root of the source tree. */

/* Two samples: before the load, and at onset 1.5 s later. */
static void add_series(struct probe_record *r, uint64_t dropped_mib, uint64_t refault_mib,
		       uint64_t swapped_mib)
{
	for (unsigned i = 0; i < 2; i++) {
		struct proto_sample *s = array_push(r->samples, r->samples_count, r->samples_cap);

		s->t_us = 1000000 + 1500000 * i;
		s->nr_file_pages = 256 * (i ? 5 : 5 + dropped_mib);
		s->pgsteal_file = 256 * dropped_mib * i;
		s->workingset_refault_file = 256 * refault_mib * i;
		s->pswpout = 256 * swapped_mib * i;
	}
}

static void put(const struct cell *cell, unsigned seq, enum probe_kind kind, uint64_t dropped_mib,
		const char *names)
{
	struct probe_record r = test_probe(cell, 0, seq, kind, 0, OUTCOME_ONSET);
	struct snapshot *s = test_snapshot(&r, "load");

	test_heap(s, 7, 1000, 0);
	s = test_snapshot(&r, "onset");
	for (unsigned pid = 7; *names; pid++, names += strcspn(names, " "), names += *names == ' ') {
		cleanup_free char *status = xasprintf("Name:\t%.*s\n", (int)strcspn(names, " "), names);

		test_evidence(s, pid, "status", status);
		test_heap(s, pid, 1000, 512 * (pid - 6));
	}
	add_series(&r, dropped_mib, 1, 2);
	put_probe(r);
}

static const struct report_reclaim *find(const struct report *r, const char *method)
{
	for (size_t i = 0; i < r->reclaims_n; i++)
		if (strcmp(r->reclaims[i].cell->method, method) == 0)
			return &r->reclaims[i];
	must(err_new("no cell of %s", method));
	return NULL;
}

static void check_numbers(const struct report *r)
{
	const struct report_reclaim *c = find(r, "threshold");

	is_int(r->reclaims_n, 3, "a line for each cell with an onset");
	is_int(c->n, 2, "of the ballast the fixed probes alone");
	ok(!c->is_other_way && c->mean.dropped_kib == 0, "which drop nothing");
	is_near(c->mean.ballast_swap_kib, 512, 0, "all that is in swap is the ballast's, by any name");
	c = find(r, "growth");
	is_near(c->mean.dropped_kib / 1024, 30, 1e-9, "mean over the probes");
	is_near(c->mean.load_swap_kib, 512, 0, "the load's in swap");
	ok(c->is_other_way, "another way than the ballast of its guest");
	c = find(r, "displacement");
	is_near(c->mean.load_swap_kib, 512, 0, "beside a ballast, at onset");
	is_near(c->mean.ballast_swap_kib, 1024, 0, "by name");
	ok(!c->is_other_way, "the same way");
	has_str(row_of(r, "pypy3", "rss")->flags, "other-way", "the rows of a cell have the flag");
	ok(!strstr(row_of(r, "python3", "rss")->flags, "other-way"), "those of another have not");
}

static void check_forms(const struct report *r)
{

	ok(widest_line(text_of(r)) <= 100, "the text fits 100 columns");
	has_str(text_of(r), "  256 MiB: ballast     5.0   0.0 %     0.0   1.0     -     2.0     -     0.5",
		"a line for the ballast");
	has_str(text_of(r), "  35.0  84.4 %    30.0   1.0     -     2.0   0.5       -     -  2  other-way\n",
		"and the load");
	has_str(csv_of(r), ",other-way", "the flag is in the CSV");
	is_str(string_of(r, "reclaim/1/interpreter"), "pypy3", "JSON has cells");
	is_near(number_of(r, "reclaim/1/dropped_mib"), 30, 1e-9, "with sizes");
	ok(json_is_null(json_of(r, "reclaim/1/lazyfreed_mib")), "null where not known");
	ok(json_is_true(json_of(r, "reclaim/1/is_other_way")), "and the verdict");
}

static void test_all(void)
{
	cleanup_cell struct cell growth = test_cell(1, 256, "growth", "strings", "pypy3", &z);
	cleanup_cell struct cell fill = test_cell(2, 256, "displacement", "strings", "python3", &z);

	begin(&z);
	put_cell(&growth);
	put_cell(&fill);
	put(&z, 0, PROBE_RAMP, 40, "ballast");
	put(&z, 1, PROBE_FIXED, 0, "ballast");
	put(&z, 2, PROBE_FIXED, 0, "python3");
	put(&growth, 0, PROBE_GROWTH, 20, "pypy3");
	put(&growth, 1, PROBE_GROWTH, 40, "ballast");
	put(&fill, 0, PROBE_DISPLACEMENT, 0, "python3 ballast");

	cleanup_report struct report *r = finish();

	check_numbers(r);
	check_forms(r);
}

RUN_REPORTS(test_all)
