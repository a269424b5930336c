/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Statistics, pace and CPU time of measure: known answers. The formats: a made-up run. */

#include <signal.h>

#include "harness/measure/measure-sample.h"
#include "tests/tap.h"

static void test_series(void)
{
	struct measure_series s = { 0 };
	struct measure_stat stat = measure_series_stat(&s, MEASURE_TIMED);

	is_int(stat.n, 0, "no value, no statistics");
	measure_series_add(&s, 1000, 50);
	stat = measure_series_stat(&s, MEASURE_TIMED);
	ok(stat.n == 1 && stat.max_kib == 50 && stat.avg_kib == 50,
	   "one value is its own maximum and average");
	measure_series_add(&s, 2000, 150);
	measure_series_add(&s, 12000, 150);
	stat = measure_series_stat(&s, MEASURE_TIMED);
	/* (1 ms of 100 in the mean, 10 ms of 150) / 11 ms */
	is_near(stat.avg_kib, (100 + 1500) / 11.0, 1e-9, "the average is weighted with time");
	is_near(stat.max_kib, 150, 0, "... the maximum is not");
	stat = measure_series_stat(&s, MEASURE_CHECKPOINT);
	is_near(stat.avg_kib, 350 / 3.0, 1e-9, "of checkpoints it is the mean");

	struct measure_series negative = { 0 };

	measure_series_add(&negative, 0, -20);
	measure_series_add(&negative, 0, -10);
	stat = measure_series_stat(&negative, MEASURE_TIMED);
	ok(stat.max_kib == -10 && stat.avg_kib == -15, "values below 0, at the same time");
}

/* The life of a command: how many samples until end_us, and what part of the time they took. */
static size_t simulate(int64_t interval_us, int64_t cost_us, int64_t end_us, double *ret_part)
{
	struct measure_pace p = { .interval_us = interval_us };
	size_t n = 0;

	for (int64_t t = 0; t < end_us; t = measure_pace_next(&p)) {
		p.last_us = t;
		p.cost_us = cost_us;
		p.spent_us += cost_us;
		n++;
	}
	*ret_part = (double)p.spent_us / (double)end_us;
	return n;
}

static void test_pace(void)
{
	double part;
	size_t n = simulate(50000, 1000, 80000, &part);

	ok(n >= 10 && part < 0.3, "a command of 80 ms is seen ten times");
	n = simulate(50000, 1000, 60000000, &part);
	ok(n >= 1190 && n <= 1250, "one of a minute each 50 ms");
	n = simulate(50000, 20000, 60000000, &part);
	ok(part > 0.035 && part <= 0.045, "costly samples take 4 % of the time");
	n = simulate(60000000, 1000, 60000000, &part);
	ok(n >= 40, "a long interval begins with short ones");
	n = simulate(1000, 10, 100000, &part);
	is_int(n, 100, "a short one is kept from the start");

	struct measure_pace p = { .interval_us = 50000, .spent_us = 249000, .cost_us = 1000 };

	ok(measure_pace_may(&p, 0), "within the credit a sample may come at any time");
	p.spent_us += 100000;
	ok(!measure_pace_may(&p, 2499999) && measure_pace_may(&p, 2500000), "... then in time");
}

static void test_cpu(void)
{
	cleanup(measure_cpu_deinit) struct measure_cpu cpu = { 0 };
	struct procfs_stat st = { .pid = 5, .start_ticks = 1, .utime_ticks = 1000, .stime_ticks = 10 };
	double user_s, system_s, tick_s = 1.0 / (double)sysconf(_SC_CLK_TCK);

	measure_cpu_add(&cpu, &st, true);
	st.utime_ticks = 1007;
	measure_cpu_add(&cpu, &st, false);
	measure_cpu_sum(&cpu, &user_s, &system_s);
	is_near(user_s, 7 * tick_s, 1e-9, "what was used before does not count");
	is_near(system_s, 0, 1e-9, "... nor of the kernel's time");
	/* The same id again, another process. */
	st = (struct procfs_stat){ .pid = 5, .start_ticks = 99, .utime_ticks = 3, .stime_ticks = 2 };
	measure_cpu_add(&cpu, &st, false);
	measure_cpu_sum(&cpu, &user_s, &system_s);
	is_near(user_s, 10 * tick_s, 1e-9, "what a later process used counts whole");
	is_near(system_s, 2 * tick_s, 1e-9, "... in both");
}

static void test_status(void)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	measure_add_status(&sb, 0);
	is_int(sb.len, 0, "a good end is not told");
	measure_add_status(&sb, 3 << 8);
	is_str(strbuf_str(&sb), "failed with exit status 3", "a failure is");
	strbuf_clear(&sb);
	measure_add_status(&sb, SIGKILL);
	is_str(strbuf_str(&sb), "was ended by signal 9 (Killed)", "so is a signal");
}

#define PAGES VIEW_BIT(VIEW_PAGES)

/* Three metrics: one with values, one that needs pages, one of a file that is not there. */
static void test_formats(void)
{
	struct metric list[] = { { .name = (char *)"rss" },
				 { .name = (char *)"union" },
				 { .name = (char *)"memcg" } };
	unsigned sets[] = { VIEW_BIT(VIEW_PROCESS), PAGES, VIEW_BIT(VIEW_GUEST) };
	const struct measure_metrics metrics = { .metrics = list, .n = 3, .sets = sets };
	struct measure_stat stats[3][MEASURE_KINDS] = { { { 4, 200, 150.25 }, { 0 } } };
	struct measure_stat base_stats[3][MEASURE_KINDS] = { { { 2, 50, 40 }, { 0 } } };
	struct measure_run run = { .stats = stats, .samples = { 4, 0 }, .pages_missing = "needs it" };
	const struct measure_run base = { .stats = base_stats, .samples = { 2, 0 } };
	const char *const argv[] = { "a b", "\033c", NULL };
	const struct measure_target target = { .argv = argv };
	struct measure_report r = { .target = &target, .metrics = &metrics, .run = &run };
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	measure_csv(&r, &sb);
	is_str(strbuf_str(&sb),
	       "metric,max_kib,avg_kib,baseline_max_kib,baseline_avg_kib,max_over_kib,avg_over_kib,n\n"
	       "rss,200.0,150.3,,,,,4\nunion,,,,,,,0\nmemcg,,,,,,,0\n",
	       "CSV without a baseline");
	r.baseline = &base;
	r.baseline_command = "true";
	strbuf_clear(&sb);
	measure_csv(&r, &sb);
	has_str(strbuf_str(&sb), "\nrss,200.0,150.3,50.0,40.0,150.0,110.3,4\n", "... and with one");
	strbuf_clear(&sb);
	measure_text(&r, &sb);
	has_str(strbuf_str(&sb), "No value (needs it): union\n", "text says why a metric has no value");
	ok(!strchr(strbuf_str(&sb), '\033'), "... and has nothing for a terminal to obey");
	has_str(strbuf_str(&sb), "'a b' ", "... and quotes the command");
	strbuf_clear(&sb);
	measure_json(&r, &sb);

	cleanup(cleanup_json_) json_t *root = json_loads(strbuf_str(&sb), 0, NULL);
	const json_t *rows = json_object_get(root, "metrics");

	ok(root && strncmp(strbuf_str(&sb), "{\n  \"tool_version\"", 18) == 0,
	   "JSON begins with the version");
	is_near(json_number_value(json_object_get(json_array_get(rows, 0), "avg_over_kib")), 110.25, 1e-9,
		"... has the values");
	ok(json_is_null(json_object_get(json_array_get(rows, 1), "max_kib")), "... null where there is none");
	is_str(json_string_value(json_object_get(json_object_get(root, "run"), "basis")), "timed",
	       "... and what they are over");
	run.samples[MEASURE_CHECKPOINT] = 1;
	stats[0][MEASURE_CHECKPOINT] = (struct measure_stat){ 1, 180, 180 };
	strbuf_clear(&sb);
	measure_csv(&r, &sb);
	has_str(strbuf_str(&sb), "\nrss,180.0,180.0,", "checkpoints come before timed samples");
}

TAP_MAIN(test_series, test_pace, test_cpu, test_status, test_formats)
