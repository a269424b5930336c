/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which way reclaim went, of made-up series and evidence whose answers are known. What the limits of the rule
 * should be is for real guests to say (see calibrate/evidence/reclaim.c).
 */

#include "calibrate/evidence/reclaim.h"
#include "tests/unit/evidence/views.h"

#define MIB 256 /* pages */

/* A guest that reads 40 MiB of files, drops 30, reads 2 again, swaps 1, and goes on after the onset. */
static const struct proto_sample series[] = {
	{ .t_us = 1000, .nr_file_pages = 1 * MIB, .pgsteal_file = 7, .pswpout = 3, .pgmajfault = 5 },
	{ .t_us = 2000, .nr_file_pages = 40 * MIB, .pgsteal_file = 7, .pswpout = 3, .pgmajfault = 50 },
	{ .t_us = 3000,
	  .nr_file_pages = 12 * MIB,
	  .pgsteal_file = 7 + 30 * MIB,
	  .workingset_refault_file = 2 * MIB,
	  .pswpout = 3 + MIB / 2,
	  .zswpout = MIB / 4,
	  .swpout_zero = MIB / 4,
	  .pgmajfault = 65,
	  .allocstall = 4 },
	{ .t_us = 4000, .nr_file_pages = 90 * MIB, .pgsteal_file = 90 * MIB, .pswpout = 90 * MIB },
};

#define SERIES_N (sizeof(series) / sizeof(series[0]))

static struct reclaim of_series(const struct proto_sample *s, size_t n, int64_t onset_us)
{
	struct reclaim r = reclaim_unknown();

	reclaim_add_series(&r, s, n, onset_us);
	return r;
}

static void test_series(void)
{
	struct reclaim r = of_series(series, SERIES_N, 2000);

	is_near(r.file_peak_kib / 1024, 40, 1e-9, "the most that files had, before the onset");
	is_near(r.file_kept_kib / 1024, 12, 1e-9, "what they have then");
	is_near(r.dropped_kib / 1024, 30, 1e-9, "dropped since the first sample");
	is_near(r.dropped_pct, 70, 1e-9, "what was read again is not gone");
	is_near(r.refault_kib / 1024, 2, 1e-9, "read again");
	is_near(r.swapped_kib / 1024, 1, 1e-9, "swapped, by all three counters");
	is_near(r.given_up_pct, 100 * 30.0 / 31, 1e-9, "what went without swapping");
	is_near(r.majfaults, 60, 0, "faults that read");
	is_near(r.allocstalls, 4, 0, "allocations that reclaimed");
	ok(isnan(r.load_swap_kib) && isnan(r.lazyfreed_kib), "the series does not say whose");

	r = of_series(series, SERIES_N, 1999);
	is_near(r.file_kept_kib / 1024, 40, 1e-9, "up to the onset's sample");
	ok(isnan(r.given_up_pct), "of nothing that was reclaimed there is no share");
	r = of_series(series, SERIES_N, -1);
	ok(isnan(r.dropped_kib) && isnan(r.file_peak_kib), "without an onset nothing is known");
	r = of_series(series, 0, 2000);
	ok(isnan(r.swapped_kib), "nor without a series");
}

static void test_hostile(void)
{
	struct proto_sample s[] = { series[2], series[0], series[1] };
	struct reclaim r = of_series(s, 3, 100000);

	is_near(r.dropped_kib, 0, 0, "time that goes back ends the series");
	s[0] = series[1];
	s[1] = series[2];
	s[1].pgsteal_file = 0;
	s[1].pswpout = 0;
	r = of_series(s, 2, INT64_MAX);
	ok(isnan(r.dropped_kib) && isnan(r.swapped_kib), "no count of a counter that goes back");
	ok(isnan(r.dropped_pct) && isnan(r.given_up_pct), "nor a share");
	memset(s, 0xff, sizeof(s));
	r = of_series(s, 3, INT64_MAX);
	ok(r.file_peak_kib > 0 && r.dropped_kib >= 0, "huge numbers");
}

static void add_process(struct views *v, unsigned pid, const char *name, unsigned swap_kib, unsigned file_kib)
{
	cleanup_free char *status = xasprintf("Name:\t%s\nVmSwap:\t %u kB\n", name, 2 * swap_kib);
	cleanup_free char *rollup = xasprintf("1000-2000 ---p 00000000 00:00 0 [rollup]\nPss_File: %u kB\n"
					      "Swap: %u kB\nSwapPss: %u kB\n",
					      file_kib, 2 * swap_kib, swap_kib);

	add_text(v, pid, "smaps_rollup", rollup);
	add_text(v, pid, "status", status);
}

static struct views *evidence(void)
{
	struct views *v = views_create(RECLAIM_VIEWS);

	views_begin(v, 9, 3, "onset");
	views_add_baseline(v, "vmstat", "pglazyfreed 100\n", 16);
	add_text(v, 0, "vmstat", "pglazyfreed 2660\n");
	add_text(v, 0, "meminfo", "SwapTotal: 10000 kB\nSwapFree: 4000 kB\n");
	add_process(v, 20, "ballast", 1000, 4);
	add_process(v, 21, "python3", 3000, 700);
	add_process(v, 22, "python3", 500, 300);
	views_end(v);
	return v;
}

static void test_evidence(void)
{
	struct views *v = evidence();
	struct reclaim r = of_series(series, SERIES_N, 2000);

	reclaim_add_evidence(&r, v, 0, RECLAIM_BY_NAME);
	is_near(r.ballast_swap_kib, 1000, 0, "of the ballast");
	is_near(r.load_swap_kib, 3500, 0, "of the others, by their shares");
	is_near(r.rest_swap_kib, 1500, 0, "what is in swap beside these");
	is_near(r.load_file_kib, 1000, 0, "files that the load has mapped");
	is_near(r.lazyfreed_kib, 10240, 0, "10 MiB were freed lazily");
	is_near(r.dropped_kib / 1024, 20, 1e-9, "which the kernel counts among files");
	is_near(r.dropped_pct, 50, 1e-9, "and so the share is less");
	is_near(r.given_up_pct, 100 * 30.0 / 31, 1e-9, "but they were given up too");
	r = of_series(series, SERIES_N, 2000);
	reclaim_add_evidence(&r, v, 0, RECLAIM_ALL_LOAD);
	ok(isnan(r.ballast_swap_kib) && r.load_swap_kib == 4500,
	   "a load with that name where there is no ballast");
	r = reclaim_unknown();
	reclaim_add_evidence(&r, v, 0, RECLAIM_ALL_BALLAST);
	ok(r.ballast_swap_kib == 4500 && isnan(r.load_swap_kib), "of the ballast alone");
	ok(isnan(r.dropped_kib) && isnan(r.dropped_pct), "without a series nothing else");
	views_destroy(v);

	v = views_create(RECLAIM_VIEWS);
	views_begin(v, 9, 3, "onset");
	add_text(v, 5, "status", "Name:\tx\n");
	views_end(v);
	r = of_series(series, SERIES_N, 2000);
	reclaim_add_evidence(&r, v, 0, RECLAIM_BY_NAME);
	ok(isnan(r.load_swap_kib) && isnan(r.rest_swap_kib) && isnan(r.lazyfreed_kib),
	   "what a kernel does not tell is not known");
	is_near(r.dropped_kib / 1024, 30, 1e-9, "and takes nothing away");
	views_destroy(v);
}

static void test_mean(void)
{
	struct reclaim r[3] = { reclaim_unknown(), of_series(series, SERIES_N, 2000),
				of_series(series, SERIES_N, 1000) };
	struct reclaim m = reclaim_mean(r, 3);

	is_near(m.dropped_kib / 1024, 15, 1e-9, "the mean of those that know");
	ok(isnan(m.load_swap_kib), "of none");
	m = reclaim_mean(r, 0);
	ok(isnan(m.dropped_kib) && isnan(m.majfaults), "of no probe");
}

static struct reclaim way(double dropped_mib, double refault_mib, double lazyfreed_mib, double swapped_mib)
{
	struct reclaim r = reclaim_unknown();
	double given = dropped_mib + (isnan(lazyfreed_mib) ? 0 : lazyfreed_mib);

	r.dropped_kib = dropped_mib * 1024;
	r.refault_kib = refault_mib * 1024;
	r.lazyfreed_kib = lazyfreed_mib * 1024;
	r.swapped_kib = swapped_mib * 1024;
	r.given_up_pct = 100 * given / (given + swapped_mib);
	return r;
}

static void test_rule(void)
{
	const struct reclaim ballast = way(0, 0, 0, 1.6), unknown = reclaim_unknown();
	const struct {
		struct reclaim load;
		bool want;
		const char *what;
	} cases[] = {
		{ way(51, 0.1, NAN, 0.5), true, "files were dropped" },
		{ ballast, false, "the ballast goes its own way" },
		{ way(0, 0, 46, 1.7), true, "what was freed lazily was taken" },
		{ way(0.9, 0, 0, 0.3), false, "less than 1 MiB is chance" },
		{ way(20, 0.5, 0, 100), false, "a sixth is not another way" },
		{ way(20, 2.5, 0, 100), true, "but it is when an eighth of that was needed again" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ok(reclaim_is_other_way(&cases[i].load, &ballast) == cases[i].want, cases[i].what);
		ok(!reclaim_is_other_way(&cases[i].load, &unknown) &&
			   !reclaim_is_other_way(&unknown, &cases[i].load),
		   "nothing is said without either");
	}
}

TAP_MAIN(test_series, test_hostile, test_evidence, test_mean, test_rule)
