/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/report/report.h"

/*
 * The thresholds of a report: what comes of several searches, of answers that contradict each other, and of
 * searches that have found nothing, or not all, yet.
 */

static void test_two_searches(void)
{
	z.replicates = 3;
	begin(&z);
	test_search(store, run, &z, 0, 180);
	test_search(store, run, &z, 1, 184);
	put_probe(test_probe(&z, 0, 20, PROBE_FIXED, 150 * 1024, OUTCOME_AGENT_LOST));

	cleanup_report struct report *r = finish();
	const struct report_threshold *t = &r->thresholds[0];

	is_int(r->thresholds_n, 1, "one guest");
	is_int(t->n, 2, "two searches");
	ok(t->z_kib > 179 * 1024 && t->z_kib < 185 * 1024, "Z* is between them, or one of them");
	ok(t->z_hi_kib - t->z_lo_kib > 3 * 1024, "and less certain than either");
	is_int(t->lost, 1, "a probe without an answer is counted");
	is_str(t->flags, "searches-disagree", "and makes no doubt, but that the two differ does");
	is_int(r->gaps_n, 2, "two things are missing");
	is_str(r->gaps[0].what, "agent-lost", "the lost probe");
	is_str(r->gaps[0].reason, "fixed at 150 MiB: it did not work", "with its reason");
	is_str(r->gaps[1].what, "not-started", "and the third replicate");
	is_str(r->gaps[1].reason, "1 of 3 replicates", "of three");
}

/* A guest that answers by the toss of a coin: told with its number and with what to do. */
static void test_unstable(void)
{
	cleanup_cell struct cell g = test_cell(1, 256, "growth", "strings", "python3", &z);
	unsigned coin = 12345;

	begin(&z);
	put_cell(&g);
	put_growth(&g, 0, 177 * 1024, 1536, "");
	put_ramp(&z, 0, 180);
	for (unsigned seq = 1; seq <= 40; seq++) {
		/* The generator of C's standard; its upper bits are the better ones. */
		coin = coin * 1103515245 + 12345;
		put_probe(test_probe(&z, 0, seq, PROBE_FIXED, (175 + seq % 11) * 1024,
				     coin >> 30 & 1 ? OUTCOME_ONSET : OUTCOME_NO_ONSET));
	}

	cleanup_report struct report *r = finish();

	is_str(r->thresholds[0].flags, "unstable-threshold",
	       "40 answers that contradict each other: unstable");
	ok(isnan(r->thresholds[0].z_kib), "there is no Z*: most answers are yes, however small the ballast");
	has_str(text_of(r), "warning: 256 MiB: ballast: Z* is known within ", "there is a warning");
	has_str(text_of(r), " MiB, wanted 0.5, after 40 probes, ", "with the numbers");
	has_str(text_of(r), "`swapcal run PLAN -o FILE`", "and the command to try next");
	has_str(r->gaps[0].reason, "more replicates ask again", "it is among what was not measured, too");
}

static void put_fixed(unsigned *seq, double z_mib, unsigned n, enum outcome outcome)
{
	for (unsigned i = 0; i < n; i++)
		put_probe(test_probe(&z, 0, ++*seq, PROBE_FIXED, (uint64_t)(z_mib * 1024), outcome));
}

/* Far above the onset, where a share of wrong answers is all that explains them, others see a curve that
 * rises slowly. */
static void test_estimators(void)
{
	unsigned seq = 0;

	begin(&z);
	put_ramp(&z, 0, 180);
	put_fixed(&seq, 179.5, 12, OUTCOME_NO_ONSET);
	put_fixed(&seq, 180.5, 12, OUTCOME_ONSET);
	put_fixed(&seq, 300, 5, OUTCOME_NO_ONSET);

	cleanup_report struct report *r = finish();

	is_str(r->thresholds[0].flags, "estimators-disagree",
	       "answers that only the search's model explains: a doubt");
	ok(fabs(r->thresholds[0].z_kib / 1024 - 180) < 0.5, "Z* is that of the model");
	ok(r->thresholds[0].check.isotonic.ed50 > 190 * 1024, "which the isotonic estimate is far from");
}

/* A guest that swaps whatever it holds: the lower side of its bracket is nothing, which needs no question. */
static void test_always_swaps(void)
{
	begin(&z);
	test_search(store, run, &z, 0, 0);

	cleanup_report struct report *r = finish();

	is_str(r->thresholds[0].flags, "", "a guest that swaps whatever it holds: no doubt");
	ok(r->thresholds[0].z_kib >= 0 && r->thresholds[0].z_hi_kib <= 1024, "but a Z* of next to nothing");
}

/* A guest whose threshold says nothing, or not yet. */
static struct report *report_with_growth(void)
{
	cleanup_cell struct cell g = test_cell(1, 256, "growth", "strings", "python3", &z);

	put_cell(&g);
	put_growth(&g, 0, 177 * 1024, 1536, "");
	return finish();
}

static void check_no_z(const struct report *r, const char *flags, const char *what)
{
	const struct report_row *row = row_of(r, "python3", "rss");
	cleanup_free char *tail = xasprintf("rss,177.000,177.000,177.000,,,,,,1,%s,,,virgin,usual\n", flags);

	is_str(row->flags, flags, what);
	ok(!row->is_best, "without Z* nothing is best");
	has_str(csv_of(r), tail, "what is not known is empty in CSV");
	has_str(text_of(r), "No workload could be compared", "the text says that nothing was compared");
	ok(!strstr(text_of(r), "nan") && !strstr(text_of(r), "inf"), "and has no NaN in it");
}

static void test_missing_thresholds(void)
{
	struct report *r;

	begin(NULL);
	r = report_with_growth();
	check_no_z(r, "z-missing", "no threshold cell in the file");
	report_destroy(r);

	begin(&z);
	r = report_with_growth();
	check_no_z(r, "z-missing", "a threshold cell without a probe");
	is_str(r->gaps[0].what, "not-started", "is not measured");
	report_destroy(r);

	begin(&z);
	put_probe(test_probe(&z, 0, 0, PROBE_RAMP, 0, OUTCOME_BOOT_FAIL));
	r = report_with_growth();
	check_no_z(r, "z-missing", "a threshold cell with a failed probe");
	is_str(r->gaps[0].what, "boot-fail", "which is said");
	report_destroy(r);

	begin(&z);
	test_search(store, run, &z, 0, 100000);
	r = report_with_growth();
	check_no_z(r, "no-threshold", "a guest that does not swap");
	is_str(r->gaps[0].reason, "nothing swapped up to 512 MiB", "with the range that was tried");
	report_destroy(r);
}

static void test_open_bracket(void)
{
	begin(&z);
	put_ramp(&z, 0, 180);
	put_probe(test_probe(&z, 0, 1, PROBE_FIXED, 180 * 1024, OUTCOME_ONSET));

	cleanup_report struct report *r = report_with_growth();

	is_str(row_of(r, "python3", "rss")->flags, "z-open", "only one side is known");
	is_near(r->thresholds[0].z_hi_kib / 1024, 180, 0, "that side is told");
	ok(isnan(r->thresholds[0].z_kib) && isnan(r->thresholds[0].z_lo_kib), "the other and Z* are not");
	has_str(text_of(r), "[?, 180.0]", "the text shows the side that is open");
	is_str(r->gaps[0].what, "unfinished", "the search is not at its end");
}

/* Most of the answers at the largest ballasts are no. */
static void test_no_upper_end(void)
{
	begin(&z);
	put_ramp(&z, 0, 511);
	for (unsigned seq = 1; seq <= 40; seq++)
		put_probe(test_probe(&z, 0, seq, PROBE_FIXED, (512 - seq % 7) * 1024,
				     seq % 5 < 2 ? OUTCOME_ONSET : OUTCOME_NO_ONSET));

	cleanup_report struct report *r = report_with_growth();
	const struct report_gap *gap = &r->gaps[0];

	is_str(gap->what, "unstable", "an interval without an upper end is unstable");
	has_str(gap->reason, "may be beyond the largest ballast", "and has no width to tell");
}

RUN_REPORTS(test_two_searches, test_unstable, test_estimators, test_always_swaps, test_missing_thresholds,
	    test_open_bracket, test_no_upper_end)
