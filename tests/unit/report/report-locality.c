/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/report/report.h"

/* Static memory of interpreters in a report over made-up probes. Runs in the root of the source tree. */

#define PRESENT (1ull << 63)

static void add_runs(struct snapshot *s, unsigned pid, const struct proto_page_run *runs, size_t n)
{
	struct evidence *f = array_push(s->files, s->files_count, s->files_cap);

	f->pid = pid;
	f->name = xstrdup("pagemap");
	f->len = n * sizeof(*runs);
	f->data = xmalloc(f->len);
	if (n)
		memcpy(f->data, runs, f->len);
}

/* 16 MiB of text of which so much is touched, in two runs, and 8 MiB of data of which a half is written. */
static void add_process(struct snapshot *s, unsigned pid, const char *file, unsigned touched_kib)
{
	const struct proto_page_run runs[] = {
		{ .address = 0x10000000, .entry = PRESENT | 100, .pages = 256, .step = 1 },
		{ .address = 0x10200000,
		  .entry = PRESENT | 900,
		  .pages = (uint16_t)(touched_kib / 4 - 256),
		  .step = 1 },
		{ .address = 0x20000000, .entry = PRESENT | 9000, .pages = 1024, .step = 1 },
	};
	cleanup_free char *smaps = xasprintf("10000000-11000000 r-xp 00000000 fe:00 77    /lib/%s\nRss: %u "
					     "kB\nAnonymous: 0 kB\nSwap: 0 kB\n"
					     "20000000-20800000 rw-p 00000000 fe:00 77    /lib/%s\nRss: 4096 "
					     "kB\nAnonymous: 4096 kB\nSwap: 0 kB\n",
					     file, touched_kib, file);

	test_evidence(s, pid, "smaps", smaps);
	add_runs(s, pid, runs, 3);
}

static void put(const struct cell *cell, enum probe_kind kind, unsigned touched_kib)
{
	struct probe_record r = test_probe(cell, 0, 0, kind, 0, OUTCOME_ONSET);
	struct snapshot *s = test_snapshot(&r, kind == PROBE_GROWTH       ? "onset"
					       : kind == PROBE_POPULATION ? "count-1"
									  : "load");

	/* Who started it has less text, and is none of it. */
	test_evidence(s, 6, "smaps",
		      "1000-9000 r-xp 00000000 fe:00 5 /bin/sh\nRss: 8 kB\nAnonymous: 0 kB\nSwap: 0 kB\n");
	add_runs(s, 6, NULL, 0);
	add_process(s, 7, "libpypy3-c.so", touched_kib);
	if (kind == PROBE_GROWTH)
		add_process(s, 8, "libpypy3-c.so", touched_kib + 2048);
	/* One whose pages could not be read. */
	test_evidence(
		s, 9, "smaps",
		"1000-9000000 r-xp 00000000 fe:00 6 /bin/huge\nRss: 8 kB\nAnonymous: 0 kB\nSwap: 0 kB\n");
	/* Reclaim has taken the text by then. */
	if (kind == PROBE_POPULATION)
		add_process(test_snapshot(&r, "onset"), 7, "libpypy3-c.so", 1028);
	put_probe(r);
}

static void check(const struct report *r)
{
	const struct report_locality *c = &r->localities[2];

	is_int(r->localities_n, 4, "a table for each cell of a workload");
	is_int(c->n, 2, "over its processes");
	is_str(c->mean.file, "libpypy3-c.so", "of the file with the most text");
	is_near(c->mean.parts[LOCALITY_TEXT].touched_kib, 4096 + 1024, 1e-9, "the mean");
	is_near(c->mean.parts[LOCALITY_TEXT].runs, 2, 1e-9, "runs");
	ok(widest_line(text_of(r)) <= 100, "the text fits 100 columns");
	has_str(text_of(r), "libpypy3-c.so, at rest, mean of 1 process\n", "a line for the file");
	has_str(text_of(r),
		"    text         16.0      4.0   25.0 %       0.3      0.0     2.0  2048.0       2.0      "
		"0.0\n",
		"a part, beside that of bare");
	has_str(text_of(r),
		"    data          8.0      4.0   50.0 %       4.0      4.0     1.0  4096.0         -        "
		"-\n",
		"which another method has not");
	has_str(text_of(r),
		"Of 24.0 MiB 16.0 are not touched and cost no RAM; 4.0 cost it in each process,\n"
		"    4.0 once for all of them, until it is dropped; used for sure: 4.3.\n",
		"and what it means");
	c = &r->localities[3];
	is_int(c->n, 1, "a population is looked at once");
	ok(c->mean.parts[LOCALITY_TEXT].touched_kib == 3072 && !c->is_onset, "while it is at rest");
	is_str(string_of(r, "locality/2/snapshot"), "onset", "JSON says when");
	is_near(number_of(r, "locality/2/text/touched_mib"), 5, 1e-9, "and has the parts");
}

static void test_all(void)
{
	cells[0] = test_cell(1, 256, "displacement", "bare", "pypy3", &z);
	cells[1] = test_cell(2, 256, "displacement", "burst", "pypy3", &z);
	cells[2] = test_cell(3, 256, "growth", "strings", "pypy3", &z);
	cells[3] = test_cell(4, 256, "population", "strings", "pypy3", &z);

	begin(&z);
	put(&cells[0], PROBE_DISPLACEMENT, 2048);
	put(&cells[1], PROBE_DISPLACEMENT, 4096);
	put(&cells[2], PROBE_GROWTH, 4096);
	put(&cells[3], PROBE_POPULATION, 3072);

	cleanup_report struct report *r = finish();

	check(r);
}

RUN_REPORTS(test_all)
