/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The second opinions on Z*, and what ramps differ by. That the estimators are right is for quantal.c. */
#include <math.h>

#include "calibrate/stats/threshold.h"
#include "tests/tap.h"

#define ANSWERS 8

/* No at 97 to 100, yes at 101 to 104, and a ramp, which is none of them. */
static const struct search_probe probes[ANSWERS + 1] = {
	{ false, 97, false },  { false, 98, false }, { false, 99, false },
	{ false, 100, false }, { false, 101, true }, { false, 102, true },
	{ false, 103, true },  { false, 104, true }, { true, 500, true },
};

static struct threshold_check check(size_t n, double lo_kib, double hi_kib)
{
	struct search_estimate estimate = { .ci_kib = { lo_kib, hi_kib } };
	struct threshold_check c;

	threshold_check(probes, n, &estimate, 1, &c);
	return c;
}

static void test_check(void)
{
	struct threshold_check c = check(ANSWERS + 1, 100, 101);

	ok(c.separation == QUANTAL_COMPLETE, "the ramp is no answer");
	is_near(c.logistic.ed50, 100.5, 1e-6, "logistic");
	is_near(c.isotonic.ed50, 100.5, 1e-12, "isotonic");
	ok(!c.is_contrary, "the same interval is not contrary");

	/* Firth's interval is some doses wide, that of separated answers the gap between them. */
	c = check(ANSWERS + 1, 101.1, 101.2);
	ok(interval_has(c.logistic.profile, 101.15) && c.is_contrary, "the isotonic one alone contradicts");
	c = check(ANSWERS + 1, 99.8, 99.9);
	ok(c.is_contrary, "from above, too");
	c = check(ANSWERS + 1, 90, 110);
	ok(!c.is_contrary, "a wide interval has theirs in it");
	c = check(4, 200, 201);
	ok(c.separation == QUANTAL_ONE_SIDED && !c.is_contrary, "no opinion does not contradict");
}

/* The isotonic interval ends where doses do, the logistic one does not. */
static void test_logistic_contradicts(void)
{
	struct search_probe many[80];
	struct search_estimate estimate = { .ci_kib = { 100.9, 101 } };
	struct threshold_check c;

	/* At 100 a yes in 4, at 101 all of 40: half is reached at 100.33 by lines. */
	for (unsigned i = 0; i < 80; i++)
		many[i] = (struct search_probe){ false, i < 40 ? 100 : 101, i >= 40 || i % 4 == 0 };
	threshold_check(many, 80, &estimate, 1, &c);
	ok(c.logistic.profile.hi < 100.9 && interval_has(c.isotonic.ci, 101) && c.is_contrary,
	   "the logistic one alone contradicts");
}

static void test_ramps(void)
{
	static const double onsets[] = { 100, 102, 104 };
	struct threshold_ramps r = threshold_ramps(onsets, 3, 1.2);

	is_near(r.sd_kib, 2, 1e-12, "standard deviation of ramps");
	is_near(r.within_boot_kib, 0.34641016, 1e-8, "a step's share, as of an even distribution");
	is_near(r.between_boots_kib, sqrt(4 - 0.12), 1e-12, "the rest is between boots");
	r = threshold_ramps(onsets, 3, 12);
	is_near(r.between_boots_kib, 0, 0, "which is nothing when a step explains all");
	r = threshold_ramps(onsets, 1, 1.2);
	ok(isnan(r.sd_kib) && isnan(r.between_boots_kib) && r.within_boot_kib > 0,
	   "of one ramp only its step is known");
}

TAP_MAIN(test_check, test_logistic_contradicts, test_ramps)
