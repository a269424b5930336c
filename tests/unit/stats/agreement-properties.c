/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Properties that agreement has whatever the numbers are: order, units, offsets, exchange of the methods,
 * pairs that come twice, one wild point. They hold for wrong formulas too; right ones are in the tests beside
 * this one.
 */
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <stdint.h>

#include "tests/tap.h"
#include "tests/unit/stats/agreement.h"

#define PAIRS_MAX 200

/* Some hundred pairs of 50 clusters with replicates. */
static size_t make(struct agreement_pair *pairs, bool has_replicates, uint64_t seed)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	size_t n = 0;

	gsl_rng_set(rng, seed);
	for (size_t c = 0; c < 50; c++) {
		double value = gsl_ran_flat(rng, 100, 300);

		for (size_t i = 0; i < (has_replicates ? 1 + c % 4 : 1); i++)
			pairs[n++] = (struct agreement_pair){ value + gsl_ran_gaussian(rng, 3),
							      1.02 * value + gsl_ran_gaussian(rng, 4), c };
	}
	gsl_rng_free(rng);
	return n;
}

static bool near(double a, double b, double tolerance)
{
	return (isnan(a) && isnan(b)) || a == b || fabs(a - b) <= tolerance * fmax(fabs(a), fabs(b));
}

static bool intervals_near(struct interval a, struct interval b, double tolerance)
{
	return near(a.lo, b.lo, tolerance) && near(a.hi, b.hi, tolerance);
}

/* Those of b are times as large. */
static bool limits_near(const struct agreement_limits *a, const struct agreement_limits *b, double times,
			double tolerance)
{
	const double *p = (const double *)a, *q = (const double *)b;

	/* There is nothing but doubles in it. */
	for (size_t i = 0; i < sizeof(*a) / sizeof(*p); i++)
		if (!near(times * p[i], q[i], tolerance))
			return false;
	return true;
}

static bool lines_near(const struct agreement_line *a, const struct agreement_line *b, double times,
		       double tolerance)
{
	return near(a->slope, b->slope, tolerance) && intervals_near(a->slope_ci, b->slope_ci, tolerance) &&
	       near(times * a->intercept, b->intercept, tolerance) &&
	       near(times * a->intercept_ci.lo, b->intercept_ci.lo, tolerance) &&
	       near(times * a->intercept_ci.hi, b->intercept_ci.hi, tolerance);
}

/* All but percents. */
static bool all_near(const struct agreement *a, const struct agreement *b, double times, double tolerance)
{
	return a->n == b->n && a->clusters == b->clusters &&
	       limits_near(&a->abs, &b->abs, times, tolerance) &&
	       near(a->proportional_slope, b->proportional_slope, tolerance) &&
	       intervals_near(a->proportional_ci, b->proportional_ci, tolerance) &&
	       near(a->error_ratio, b->error_ratio, tolerance) &&
	       lines_near(&a->deming, &b->deming, times, tolerance) &&
	       lines_near(&a->weighted_deming, &b->weighted_deming, times, tolerance) &&
	       lines_near(&a->passing_bablok, &b->passing_bablok, times, tolerance) &&
	       near(a->linearity_p, b->linearity_p, tolerance) && near(a->ccc, b->ccc, tolerance) &&
	       intervals_near(a->ccc_ci, b->ccc_ci, tolerance);
}

static bool percents_near(const struct agreement *a, const struct agreement *b, double tolerance)
{
	return limits_near(&a->pct, &b->pct, 1, tolerance) && near(a->tost_p, b->tost_p, tolerance) &&
	       a->verdict == b->verdict && a->clusters_needed == b->clusters_needed;
}

static void test_order(bool has_replicates)
{
	struct agreement_pair pairs[PAIRS_MAX], other[PAIRS_MAX];
	size_t n = make(pairs, has_replicates, 1);

	for (size_t i = 0; i < n; i++)
		other[i] = pairs[(i * 7 + 3) % n];
	/* 7 has no part in common with the number of pairs. */
	ok(n % 7 != 0, "another order of the same pairs");

	struct agreement a = of(pairs, n), b = of(other, n);

	ok(all_near(&a, &b, 1, 0) && percents_near(&a, &b, 0), "gives the same to the last digit");
	for (size_t i = 0; i < n; i++)
		other[i].cluster = 1000 - other[i].cluster;
	b = of(other, n);
	ok(all_near(&a, &b, 1, 0) && percents_near(&a, &b, 0), "and so do other numbers of clusters");
}

static void test_scale(bool has_replicates)
{
	static const double scales[] = { 1e-5, 1e12, 0x1p-600, 0x1p600 };
	struct agreement_pair pairs[PAIRS_MAX], other[PAIRS_MAX];
	size_t n = make(pairs, has_replicates, 2);
	struct agreement a = of(pairs, n);

	for (size_t s = 0; s < 4; s++) {
		char what[100];

		for (size_t i = 0; i < n; i++)
			other[i] = (struct agreement_pair){ pairs[i].z * scales[s], pairs[i].y * scales[s],
							    pairs[i].cluster };

		struct agreement b = of(other, n);

		snprintf(what, sizeof(what), "a unit of %g: all is in this unit", scales[s]);
		ok(all_near(&a, &b, scales[s], 1e-9) && percents_near(&a, &b, 1e-9), what);
	}
}

static void test_shift(void)
{
	struct agreement_pair pairs[PAIRS_MAX], other[PAIRS_MAX];
	size_t n = make(pairs, true, 3);
	struct agreement a = of(pairs, n);

	/* Values of 1e9 have 1e-7 as their last digit. */
	for (size_t i = 0; i < n; i++)
		other[i] = (struct agreement_pair){ pairs[i].z + 1e9, pairs[i].y + 1e9, pairs[i].cluster };

	struct agreement b = of(other, n);

	ok(limits_near(&a.abs, &b.abs, 1, 1e-6), "an offset of 1e9 in both: limits are as before");
	ok(near(a.deming.slope, b.deming.slope, 1e-6) &&
		   intervals_near(a.deming.slope_ci, b.deming.slope_ci, 1e-6),
	   "Deming's slope too");
	ok(near(a.passing_bablok.slope, b.passing_bablok.slope, 1e-6), "Passing and Bablok's");
	ok(near(a.proportional_slope, b.proportional_slope, 1e-6), "the proportional one");
	ok(near(a.ccc, b.ccc, 1e-6) && intervals_near(a.ccc_ci, b.ccc_ci, 1e-5), "and Lin's concordance");

	for (size_t i = 0; i < n; i++)
		other[i] = (struct agreement_pair){ pairs[i].z, pairs[i].y + 50, pairs[i].cluster };
	b = of(other, n);
	ok(near(b.abs.bias, a.abs.bias + 50, 1e-9) && near(b.abs.sd, a.abs.sd, 1e-9) &&
		   near(b.abs.outer.hi, a.abs.outer.hi + 50, 1e-9),
	   "an offset in y is in bias and bounds");
	ok(near(b.deming.slope, a.deming.slope, 1e-9) &&
		   near(b.deming.intercept, a.deming.intercept + 50, 1e-9),
	   "and in the intercept");
	ok(b.ccc < a.ccc, "and concordance is less");
}

static void test_swap(bool has_replicates)
{
	struct agreement_pair pairs[PAIRS_MAX], other[PAIRS_MAX];
	size_t n = make(pairs, has_replicates, 4);

	for (size_t i = 0; i < n; i++)
		other[i] = (struct agreement_pair){ pairs[i].y, pairs[i].z, pairs[i].cluster };

	struct agreement a = of(pairs, n), b = of(other, n);

	ok(near(a.abs.bias, -b.abs.bias, 1e-9) && near(a.abs.sd, b.abs.sd, 1e-9) &&
		   near(a.abs.loa.lo, -b.abs.loa.hi, 1e-9) && near(a.abs.outer.lo, -b.abs.outer.hi, 1e-9) &&
		   near(a.abs.inner.lo, -b.abs.inner.hi, 1e-9),
	   "z and y change places: the bias changes its sign");
	ok(near(a.error_ratio, 1 / b.error_ratio, 1e-9), "the error ratio is inverted");
	ok(a.has_error_ratio == has_replicates, "if replicates tell of it");
	ok(near(a.deming.slope, 1 / b.deming.slope, 1e-9) &&
		   near(b.deming.intercept, -a.deming.intercept / a.deming.slope, 1e-9),
	   "Deming's line is the same");
	ok(near(a.weighted_deming.slope, 1 / b.weighted_deming.slope, 1e-9), "the weighted one");
	ok(near(a.passing_bablok.slope, 1 / b.passing_bablok.slope, 1e-9) &&
		   near(a.passing_bablok.slope_ci.hi, 1 / b.passing_bablok.slope_ci.lo, 1e-9),
	   "and Passing and Bablok's");
	ok(near(a.proportional_slope, -b.proportional_slope, 1e-9), "the proportional slope is negated");
	ok(near(a.ccc, b.ccc, 1e-9) && intervals_near(a.ccc_ci, b.ccc_ci, 1e-9), "concordance is the same");
}

/* Each pair measured again with the very same result: nothing new is known. */
static void test_duplicates(void)
{
	struct agreement_pair pairs[PAIRS_MAX], twice[2 * PAIRS_MAX];
	size_t n = make(pairs, false, 5);

	for (size_t i = 0; i < n; i++)
		twice[2 * i] = twice[2 * i + 1] = pairs[i];

	struct agreement a = of(pairs, n), b = of(twice, 2 * n);

	is_int(b.clusters, a.clusters, "duplicates are of no new clusters");
	is_near(b.abs.sd_within, 0, 0, "and do not differ");
	ok(near(a.abs.sd, b.abs.sd, 1e-12) && intervals_near(a.abs.bias_ci, b.abs.bias_ci, 1e-12) &&
		   intervals_near(a.abs.outer, b.abs.outer, 1e-12) &&
		   intervals_near(a.abs.loa_lo_ci, b.abs.loa_lo_ci, 1e-12),
	   "nothing about limits is better known");
	ok(lines_near(&a.deming, &b.deming, 1, 1e-12), "nor about lines");
	is_near(b.ccc, a.ccc, 1e-12, "nor concordance");
	ok(!b.has_error_ratio, "and no error ratio");
}

static void test_outlier(void)
{
	struct agreement_pair pairs[PAIRS_MAX];
	size_t n = make(pairs, false, 6);
	struct agreement a = of(pairs, n);

	pairs[20].y = 1e6;

	struct agreement b = of(pairs, n);

	ok(b.abs.sd > 1000 * a.abs.sd, "one wild point makes the limits wide");
	is_int(b.verdict, AGREEMENT_REJECTED, "and the metric useless, as it is");
	is_near(b.passing_bablok.slope, a.passing_bablok.slope, 0.01, "Passing and Bablok's line stays");
	ok(isfinite(b.deming.slope) && isfinite(b.deming.slope_ci.hi), "Deming's is still a line");
	ok(interval_has(b.deming.slope_ci, 1.02) || b.deming.slope_ci.hi - b.deming.slope_ci.lo > 1,
	   "with an interval that says how badly it is known");
}

int main(void)
{
	for (int has_replicates = 0; has_replicates < 2; has_replicates++) {
		test_order(has_replicates);
		test_scale(has_replicates);
		test_swap(has_replicates);
	}
	test_shift();
	test_duplicates();
	test_outlier();
	return tap_done();
}
