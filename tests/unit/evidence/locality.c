/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Static memory of a process: known answers of made-up mappings and page runs, a capture of a kernel, and
 * hostile input.
 */

#include "calibrate/evidence/locality.h"
#include "guest/proto.h"
#include "tests/unit/evidence/views.h"

#define PRESENT (1ull << 63)
#define SWAPPED (1ull << 62)
#define ACTIVE  (1ull << 6)

/* A small program, a library with more text, memory of nobody's, and a library with less. */
static const char smaps[] =
	"00400000-00410000 r-xp 00000000 fe:00 451                                /usr/bin/pypy3\n"
	"Rss: 64 kB\n"
	"10000000-10020000 r--p 00000000 fe:00 77                                 /usr/lib/libpypy3-c.so\n"
	"Rss: 4 kB\nReferenced: 4 kB\n"
	"10020000-10060000 r-xp 00020000 fe:00 77                                 /usr/lib/libpypy3-c.so\n"
	"Rss: 36 kB\nReferenced: 32 kB\nAnonymous: 0 kB\nSwap: 0 kB\nVmFlags: rd ex mr mw me\n"
	"10060000-10061000 ---p 00060000 fe:00 77                                 /usr/lib/libpypy3-c.so\n"
	"Rss: 0 kB\n"
	"10061000-10071000 rw-p 00061000 fe:00 77                                 /usr/lib/libpypy3-c.so\n"
	"Rss: 20 kB\nReferenced: 20 kB\nAnonymous: 12 kB\nSwap: 8 kB\n"
	"10071000-10090000 rw-p 00000000 00:00 0\n"
	"Rss: 124 kB\nAnonymous: 124 kB\n"
	"20000000-20080000 rwxp 00000000 fe:00 80                                 /jit\n"
	"Rss: 400 kB\n"
	"30000000-30010000 r-xp 00000000 fe:01 77                                 /usr/lib/libc.so\n"
	"Rss: 8 kB\n";

static const struct proto_page_run runs[] = {
	{ .address = 0x00400000, .entry = PRESENT | 9, .pages = 16, .step = 1 },
	{ .address = 0x1001f000, .entry = PRESENT | 50, .pages = 3, .step = 1, .flags = ACTIVE }, /* 1 + 2 */
	{ .address = 0x10022000, .entry = PRESENT | 90, .pages = 1 }, /* goes on elsewhere in RAM */
	{ .address = 0x10030000, .entry = PRESENT | 70, .pages = 6, .step = 1 },
	{ .address = 0x10061000, .entry = PRESENT | 20, .pages = 5, .step = 1, .flags = ACTIVE },
	{ .address = 0x1006f000, .entry = SWAPPED | 20 << 5, .pages = 2, .step = 1, .flags = ACTIVE },
	{ .address = 0x10071000, .entry = PRESENT | 30, .pages = 31, .step = 1 },
};

static struct locality read_all(const void *data, size_t len)
{
	struct locality l = { .file = "none" };

	ok(locality_read(smaps, sizeof(smaps) - 1, data, len, &l), "there is a binary");
	return l;
}

static void test_sizes(void)
{
	struct locality l = read_all(NULL, 0);
	const struct locality_part *text = &l.parts[LOCALITY_TEXT], *data = &l.parts[LOCALITY_DATA];

	is_str(l.file, "libpypy3-c.so", "the file with the most text, and not the one that was started");
	is_near(text->mapped_kib, 256, 0, "text that is mapped");
	is_near(text->touched_kib, 36, 0, "touched");
	is_near(text->dirtied_kib, 0, 0, "and not written");
	is_near(text->referenced_kib, 32, 0, "by smaps");
	is_near(l.parts[LOCALITY_RODATA].mapped_kib, 128, 0, "gaps between segments are no data");
	is_near(data->mapped_kib, 64, 0, "nor is memory behind the file's data");
	is_near(data->touched_kib, 28, 0, "in RAM or swap");
	is_near(data->dirtied_kib, 20, 0, "written, in RAM or swap");
	ok(isnan(text->runs) && isnan(text->run_pages) && isnan(text->active_kib) && isnan(text->blocks),
	   "without page runs nothing is known of runs");
}

static void test_runs(void)
{
	struct locality l = read_all(runs, sizeof(runs));
	const struct locality_part *text = &l.parts[LOCALITY_TEXT], *data = &l.parts[LOCALITY_DATA];
	struct locality_part sum = locality_sum(&l);

	is_near(l.parts[LOCALITY_RODATA].runs, 1, 0, "a run ends where its mapping ends");
	is_near(text->runs, 2, 0, "neighbours are one run, wherever they are in RAM");
	is_near(text->run_pages, 4.5, 1e-9, "the mean length");
	is_near(text->active_kib, 8, 0, "active, of that mapping alone");
	is_near(text->blocks, 2, 0, "blocks of 64 KiB that are touched");
	is_near(text->least_kib, 8, 0, "a page of each was used for sure");
	is_near(data->least_kib, 20, 0, "or what was written");
	is_near(data->runs, 2, 0, "runs of data");
	is_near(data->run_pages, 3.5, 1e-9, "swap is touched too");
	is_near(data->active_kib, 20, 0, "but not active");
	is_near(data->blocks, 2, 0, "blocks are of addresses, not of the file");
	is_near(sum.touched_kib, 68, 0, "all parts");
	is_near(sum.least_kib, 32, 0, "what of each was used for sure");
	is_near(sum.runs, 5, 0, "their runs");
	is_near(sum.run_pages, 17 / 5.0, 1e-9, "and the mean of all");
}

static void test_mean(void)
{
	struct locality l[2] = { read_all(NULL, 0), read_all(runs, sizeof(runs)) }, m;

	l[0].parts[LOCALITY_DATA].dirtied_kib = 30;
	m = locality_mean(l, 2);
	is_near(m.parts[LOCALITY_DATA].dirtied_kib, 25, 0, "the mean of both");
	is_near(m.parts[LOCALITY_TEXT].runs, 2, 0, "of one when the other does not know");
	is_str(m.file, "libpypy3-c.so", "of that file");
	m = locality_mean(l, 0);
	ok(isnan(m.parts[LOCALITY_DATA].dirtied_kib) && !*m.file, "of none");
}

static bool is_known(const struct proto_page_run *r, size_t n)
{
	return !isnan(read_all(r, n * sizeof(*r)).parts[LOCALITY_TEXT].runs);
}

static void test_hostile(void)
{
	static const char disordered[] = "2000-3000 r-xp 00000000 fe:00 1 /a\nRss: 4 kB\n"
					 "1000-2000 r-xp 00000000 fe:00 2 /b\nRss: 4 kB\n";
	struct proto_page_run r[2] = { runs[3], runs[1] };
	struct locality l = { .file = "as it was" };

	ok(!is_known(r, 2), "runs that are out of order");
	r[1] = runs[4];
	ok(is_known(r, 2), "(in order they are known)");
	r[1].address++;
	ok(!is_known(r, 2), "a run between pages");
	r[1].address = UINT64_MAX - 4095;
	ok(!is_known(r, 2), "a run over the end of all addresses");
	r[1].pages = 0;
	ok(!is_known(r, 2), "a run of nothing");
	ok(isnan(read_all(runs, sizeof(runs) - 1).parts[LOCALITY_TEXT].runs), "a run that is cut");
	ok(!locality_read(disordered, sizeof(disordered) - 1, NULL, 0, &l), "mappings out of order");
	ok(!locality_read("", 0, NULL, 0, &l) && !locality_read("\n", 1, NULL, 0, &l), "no mappings");
	ok(!locality_read("1000-2000 r-xp 00000000 00:00 0 [vdso]\nRss: 4 kB\n", 48, NULL, 0, &l),
	   "text of no file");
	is_str(l.file, "as it was", "results are untouched then");
}

static void test_capture(void)
{
	cleanup_strbuf struct strbuf sb = load("6.1", "smaps");
	struct locality l;

	ok(locality_read(strbuf_str(&sb), sb.len, NULL, 0, &l), "a kernel's own text");
	ok(l.parts[LOCALITY_TEXT].mapped_kib > 0 &&
		   l.parts[LOCALITY_TEXT].touched_kib <= l.parts[LOCALITY_TEXT].mapped_kib,
	   "has text, of which not more is touched than there is");
}

TAP_MAIN(test_sizes, test_runs, test_mean, test_hostile, test_capture)
