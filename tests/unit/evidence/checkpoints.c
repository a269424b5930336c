/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What workloads say at their checkpoints: known answers, and lines of which nothing must be believed. */

#include "calibrate/evidence/checkpoints.h"
#include "harness/base/strbuf.h"
#include "tests/tap.h"

static struct checkpoints read_text(const char *text)
{
	struct checkpoints c;

	checkpoints_read(text, strlen(text), &c);
	return c;
}

static void test_cpython(void)
{
	struct checkpoints c =
		read_text("1000 79 build-1 cpu_ms=120 gc0=12,3400,900 gc1=1,100,100 gc2=0,0,0\n"
			  "1500 80 build-1 cpu_ms=90 gc0=7,400,90\n"
			  "3000 79 full cpu_ms=500 gc0=20,5000,1900 gc1=2,300,200 gc2=1,9000,9000\n"
			  "3500 80 other\n");
	struct gc_pauses all = checkpoints_all_pauses(c.gc);

	is_int(c.lines, 4, "lines");
	is_int(c.bad, 0, "all good");
	is_int(c.end_us, 3500, "the end is the last line");
	ok(c.has_full && c.full_us == 3000 && c.full_cpu_ms == 500, "the load was full before");
	is_near(c.cpu_ms, 590, 0, "CPU time of all processes, each as of its last word");
	is_near(c.gc[GC_0].n, 27, 0, "so are collections");
	is_near(c.gc[GC_0].total_us, 5400, 0, "their time");
	is_near(c.gc[GC_0].max_us, 1900, 0, "and the longest of any process");
	is_near(c.gc[GC_2].n, 1, 0, "of each kind");
	ok(isnan(c.gc[GC_MINOR].n), "another interpreter's are not known");
	is_near(all.n, 30, 0, "all kinds together");
	is_near(all.total_us, 14700, 0, "in all");
	is_near(all.max_us, 9000, 0, "the longest");
}

static void test_pypy(void)
{
	struct checkpoints c =
		read_text("1000 79 count-1 gcminor=12,3400,900 gcstep=1,100,100 new=x,y gcnew=1\n"
			  "2000 79 count-2\n");

	is_int(c.bad, 0, "what is not known is no mistake");
	ok(c.end_us == 2000 && !c.has_full && isnan(c.full_cpu_ms), "it never said that it is full");
	is_near(c.gc[GC_MINOR].max_us, 900, 0, "what a later line does not say is as before");
	ok(isnan(c.cpu_ms), "CPU time that nobody told");
	c = read_text("");
	ok(!c.has_end && c.lines == 0 && isnan(checkpoints_all_pauses(c.gc).n), "nothing was said");
}

static void test_bad(void)
{
	static const char *const lines[] = { "\n",
					     " 1 2 a\n",
					     "1 2\n",
					     "1  2 a\n",
					     "x 2 a\n",
					     "1 -2 a\n",
					     "1 2 a cpu_ms=\n",
					     "1 2 a cpu_ms=-1\n",
					     "1 2 a cpu_ms=1.5\n",
					     "1 2 a cpu_ms\n",
					     "1 2 a cpu_ms=18446744073709551616\n",
					     "1 2 a gc0=1,2\n",
					     "1 2 a gc0=1,2,3,4\n",
					     "1 2 a gc0=1,,3\n",
					     "1 2 a gcminor\n",
					     "1 2 a cpu_ms=7",
					     "1 2 a cpu_ms=7 gc0=1,2,x\n" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct checkpoints c = read_text(lines[i]);
		char what[32];

		snprintf(what, sizeof(what), "bad line %zu", i);

		ok(c.bad == 1 && !c.has_end && isnan(c.cpu_ms) && isnan(c.gc[GC_0].n), what);
	}

	struct checkpoints c;

	checkpoints_read("1 2 a cpu_ms=1\n1 2 \0 cpu_ms=2\n", 30, &c);
	ok(c.lines == 2 && c.bad == 1 && c.cpu_ms == 1, "a line with a NUL is bad, as in other texts");
	c = read_text("18446744073709551615 18446744073709551615 a cpu_ms=18446744073709551615 "
		      "gc0=18446744073709551615,18446744073709551615,18446744073709551615\n");
	ok(c.bad == 0 && c.end_us == UINT64_MAX && isfinite(c.cpu_ms), "the largest numbers");
}

static void test_many(void)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	for (unsigned i = 0; i < 300; i++)
		strbuf_addf(&sb, "%u %u a cpu_ms=1\n", 1000 + i, i);

	struct checkpoints c = read_text(strbuf_str(&sb));

	is_int(c.bad, 44, "more processes than there can be");
	is_near(c.cpu_ms, 256, 0, "are left out");
}

TAP_MAIN(test_cpython, test_pypy, test_bad, test_many)
