/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Agreement of too few pairs, of equal ones, of numbers of any magnitude, of very many pairs. It shows that
 * results are defined and come soon, not that they are good.
 */
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <time.h>

#include "tests/tap.h"
#include "tests/unit/stats/agreement.h"

#define PAIRS_MAX 200

static void test_few(void)
{
	static const double z[] = { 10, 20, 30 }, y[] = { 11, 19, 33 };
	struct agreement a = compare(z, y, 0);

	is_int(a.n, 0, "no pairs");
	is_int(a.verdict, AGREEMENT_UNDECIDED, "are undecided");
	is_str(a.verdict_reason, "too few clusters", "because of too few clusters");
	ok(isnan(a.abs.bias) && isnan(a.pct.bias) && isnan(a.ccc) && isnan(a.tost_p) && isnan(a.deming.slope),
	   "and all else is not defined");
	ok(isnan(a.replicates_mean), "replicates neither");

	a = compare(z, y, 1);
	is_str(a.verdict_reason, "too few clusters", "one pair is too few");
	is_near(a.abs.bias, 1, 1e-12, "but has a difference");
	is_near(a.pct.bias, 10, 1e-12, "in percent too");
	ok(isnan(a.abs.sd) && isnan(a.abs.outer.lo) && isnan(a.pct.inner.hi) && isnan(a.abs.bias_ci.lo),
	   "and no spread");

	a = compare(z, y, 2);
	is_near(a.abs.sd, sqrt(2), 1e-12, "two pairs have a spread");
	ok(isfinite(a.abs.outer.lo) && a.abs.outer.lo < -40, "of which next to nothing is known");
	is_near(a.deming.slope, 0.8, 1e-12, "and a line through both");
	ok(isnan(a.deming.slope_ci.lo) && isnan(a.weighted_deming.slope_ci.hi) &&
		   isnan(a.proportional_ci.lo) && isnan(a.ccc_ci.lo),
	   "without any interval");
	is_int(a.verdict, AGREEMENT_REJECTED, "but 15 % apart, so that few are within 5 %");

	a = compare(z, y, 3);
	ok(isfinite(a.deming.slope_ci.lo) && isfinite(a.proportional_ci.lo) && isfinite(a.ccc_ci.lo),
	   "three pairs have intervals");

	struct agreement_pair one_cluster[] = { { 10, 11, 5 }, { 10, 12, 5 }, { 10, 13, 5 } };

	a = of(one_cluster, 3);
	is_str(a.verdict_reason, "too few clusters", "three pairs of one cluster are one cluster");
	is_near(a.abs.sd_within, 1, 1e-12, "which tells of replicates");
	ok(isnan(a.abs.sd) && isnan(a.deming.slope), "but of nothing else");
}

static void test_all_equal(void)
{
	static const double same[] = { 7, 7, 7, 7 }, some[] = { 1, 2, 4, 8 };
	struct agreement a = compare(same, same, 4);

	is_near(a.abs.bias, 0, 0, "all values equal: no bias");
	is_near(a.abs.outer.hi, 0, 0, "certainly");
	is_int(a.verdict, AGREEMENT_VALIDATED, "validated");
	ok(isnan(a.deming.slope) && isnan(a.weighted_deming.slope) && isnan(a.passing_bablok.slope) &&
		   isnan(a.proportional_slope) && isnan(a.ccc) && isnan(a.linearity_p),
	   "but there is no line, and no concordance");

	a = compare(some, some, 4);
	is_near(a.ccc, 1, 0, "y is z: full concordance");
	is_near(a.ccc_ci.lo, 1, 0, "without doubt");
	is_near(a.deming.slope, 1, 1e-15, "the line of identity");
	is_near(a.deming.slope_ci.hi, 1, 1e-14, "without doubt");
	is_near(a.weighted_deming.slope, 1, 1e-14, "weighted too");
	is_near(a.passing_bablok.slope, 1, 1e-15, "and Passing and Bablok's");
	is_near(a.proportional_slope, 0, 1e-15, "nothing is proportional");

	a = compare(same, some, 4);
	ok(isnan(a.deming.slope) && isnan(a.weighted_deming.slope) && isnan(a.passing_bablok.slope),
	   "z constant: no line");
	ok(isfinite(a.abs.outer.lo) && isfinite(a.pct.outer.hi) && isfinite(a.tost_p),
	   "but limits and verdict");
	is_near(a.ccc, 0, 0, "and no concordance");
	ok(isnan(a.ccc_ci.lo) && isnan(a.ccc_ci.hi), "of which nothing says how sure that is");
	ok(isnan(a.proportional_slope), "nor does the error over the size, which would be 2 by algebra");

	a = compare(some, same, 4);
	is_near(a.deming.slope, 0, 1e-15, "y constant: a slope of 0");
}

/* Weights of one line lead to another line, and back. */
static void test_unsettled(void)
{
	static const double z[] = { 12, 6, 2 }, y[] = { 12, 23, 12 }, turned_z[] = { 2, 12, 6 },
			    turned_y[] = { 12, 12, 23 };
	struct agreement a = compare(z, y, 3), b = compare(turned_z, turned_y, 3);

	ok(isfinite(a.deming.slope) && isnan(a.weighted_deming.slope) && a.is_weighted_unstable,
	   "weighted Deming that does not converge has no line, and that is known");
	ok(isnan(b.weighted_deming.slope) && b.is_weighted_unstable, "in any order");
	ok(!compare(z, z, 3).is_weighted_unstable, "unlike one that converges");
}

static void test_not_positive(void)
{
	static const double z[] = { 0, 1, 2, 3 }, y[] = { 0.5, 1, 2, 3 };
	static const double tiny[] = { 1e-300, 1, 2, 3 };
	struct agreement a = compare(z, y, 4);

	is_str(a.verdict_reason, "percents need z above 0", "z of 0 has no percents");
	is_int(a.verdict, AGREEMENT_UNDECIDED, "so nothing is decided");
	ok(isnan(a.pct.bias) && isnan(a.pct.outer.hi) && isnan(a.tost_p) && a.clusters_needed == 0,
	   "percents are not defined");
	ok(isfinite(a.abs.outer.hi) && isfinite(a.deming.slope) && isfinite(a.ccc), "all else is");
	ok(isnan(a.weighted_deming.slope), "but for weights");
	a = compare(tiny, y, 4);
	is_str(a.verdict_reason, "percents are too large", "a z next to 0 has percents too large for sums");
}

/* Numbers of any kind, from few to many, many of them the same. */
static double garbage(gsl_rng *rng)
{
	switch (gsl_rng_uniform_int(rng, 8)) {
	case 0:
		return 0;
	case 1:
		return (double)gsl_rng_uniform_int(rng, 3);
	case 2:
		return ldexp(gsl_ran_flat(rng, -1, 1), (int)gsl_rng_uniform_int(rng, 2098) - 1074);
	case 3:
		return 1e12 + (double)gsl_rng_uniform_int(rng, 5);
	case 4:
		return 1.7976931348623157e308 * gsl_ran_flat(rng, -1, 1);
	case 5:
		return 4.9e-324;
	default:
		return fabs(gsl_ran_cauchy(rng, 1));
	}
}

static bool is_defined(struct interval i)
{
	return isnan(i.lo) == isnan(i.hi) && (isnan(i.lo) || i.lo <= i.hi);
}

/* Whatever else is wrong with it. */
static bool is_sane(const struct agreement *a, size_t n)
{
	return a->n == n && a->clusters <= n && (unsigned)a->verdict <= AGREEMENT_UNDECIDED &&
	       a->verdict_reason && is_defined(a->passing_bablok.slope_ci) && is_defined(a->ccc_ci) &&
	       (isnan(a->ccc) || fabs(a->ccc) <= 1) &&
	       (isnan(a->tost_p) || (a->tost_p >= 0 && a->tost_p <= 1)) &&
	       (isnan(a->linearity_p) || (a->linearity_p >= 0 && a->linearity_p <= 1)) &&
	       (a->verdict == AGREEMENT_UNDECIDED || isfinite(a->pct.outer.lo)) && !isinf(a->deming.slope) &&
	       !isinf(a->weighted_deming.slope) && !isinf(a->passing_bablok.slope);
}

static void test_garbage(void)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	struct agreement_pair pairs[PAIRS_MAX];
	unsigned sane = 0, runs = 3000;

	for (unsigned i = 0; i < runs; i++) {
		size_t n = gsl_rng_uniform_int(rng, i % 20 ? 12 : PAIRS_MAX);
		size_t clusters = 1 + gsl_rng_uniform_int(rng, 2 * n + 1);
		bool is_one_kind = gsl_rng_uniform_int(rng, 2);
		double unit = garbage(rng);
		struct agreement_params params = {
			.margin_pct = fabs(garbage(rng)) + 1e-300,
			.z_uncertainty_pct = i % 3 ? 0 : fabs(garbage(rng)),
			.confidence = gsl_ran_flat(rng, 0.5001, 0.9),
			.confidence_validated = gsl_ran_flat(rng, 0.9, 0.999999),
		};

		for (size_t p = 0; p < n; p++) {
			pairs[p].z = is_one_kind ? unit * gsl_rng_uniform(rng) : garbage(rng);
			pairs[p].y = is_one_kind ? unit * gsl_rng_uniform(rng) : garbage(rng);
			pairs[p].cluster = gsl_rng_uniform_int(rng, clusters);
		}

		struct agreement a;

		agreement_compare(pairs, n, &params, &a);
		sane += is_sane(&a, n);
	}
	gsl_rng_free(rng);
	is_int(sane, runs, "garbage of all magnitudes: what comes out is a result or none");
}

static void test_many(size_t clusters, size_t replicates)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	size_t n = clusters * replicates;
	cleanup_free struct agreement_pair *pairs = xcalloc(n, sizeof(*pairs));

	for (size_t i = 0; i < n; i++) {
		double value = 100 + 200. * (double)(i % clusters) / (double)clusters;

		pairs[i] = (struct agreement_pair){ value + gsl_ran_gaussian(rng, 3),
						    value + gsl_ran_gaussian(rng, 3), i % clusters };
	}

	clock_t start = clock();
	struct agreement a = of(pairs, n);

	printf("# %zu pairs of %zu clusters: %.2f s\n", n, clusters,
	       (double)(clock() - start) / CLOCKS_PER_SEC);
	ok(fabs(a.deming.slope - 1) < 0.002 && fabs(a.weighted_deming.slope - 1) < 0.002 &&
		   fabs(a.passing_bablok.slope - 1) < 0.002 && fabs(a.abs.bias) < 0.1,
	   "many pairs: what is known is right");
	ok(a.deming.slope_ci.hi - a.deming.slope_ci.lo < 0.003, "and known well");
	is_int(a.is_pb_enumerated, clusters <= 2000, "how slopes were found depends on their number");
	gsl_rng_free(rng);
}

int main(void)
{
	test_few();
	test_all_equal();
	test_unsettled();
	test_not_positive();
	test_garbage();
	test_many(50000, 1);
	test_many(10000, 5);
	test_many(500, 100);
	return tap_done();
}
