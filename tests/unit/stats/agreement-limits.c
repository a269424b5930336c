/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Limits of agreement with replicates, by hand; the verdict, and how many clusters it would take. It does not
 * show that bounds hold what they promise: tests/sim/agreement.c does.
 */
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

#include "calibrate/stats/agreement-limits.h"
#include "tests/tap.h"
#include "tests/unit/stats/agreement.h"

#define DIGITS 1e-6

/* Cell of each difference; z is 100, so that percents are the differences. */
static struct agreement compare_diffs(const double *diffs, const size_t *clusters, size_t n,
				      const struct agreement_params *params)
{
	cleanup_free struct agreement_pair *pairs = xcalloc(n + 1, sizeof(*pairs));
	struct agreement a;

	for (size_t i = 0; i < n; i++)
		pairs[i] = (struct agreement_pair){ 100, 100 + diffs[i], clusters ? clusters[i] : i };
	agreement_compare(pairs, n, params, &a);
	return a;
}

/*
 * Means 2, 5, 8: s^2 = 9. MSW = (2 + 2 + 8) / 3 = 4. sd^2 = 9 + 4 / 2. Var(limit) = 9 / 3 + 2 / 11 (81 / 3 +
 * 2^2 / 3). MOVER at 95 %: chi-squared with 2 degrees of freedom 0.1025866, with 3 0.3518463; t 2.919986.
 */
static void test_balanced(void)
{
	static const double d[] = { 1, 3, 4, 6, 6, 10 };
	static const size_t clusters[] = { 7, 7, 3, 3, 12, 12 };
	struct agreement a = compare_diffs(d, clusters, 6, &usual);
	double se = sqrt(3 + 2. / 11 * (27 + 4. / 3)), t = 4.302653, sd = sqrt(11);

	is_int(a.clusters, 3, "three clusters of two by hand: clusters");
	is_near(a.replicates_mean, 2, 0, "replicates");
	is_near(a.abs.bias, 5, DIGITS, "bias");
	is_near(a.abs.bias_ci.hi, 5 + t * sqrt(3), DIGITS * 10, "its interval counts clusters, not pairs");
	is_near(a.abs.sd, sd, DIGITS, "SD of one difference");
	is_near(a.abs.sd_within, 2, DIGITS, "of which within clusters");
	is_near(a.abs.sd_between, sqrt(7), DIGITS, "and between");
	is_near(a.abs.loa.lo, 5 - 1.96 * sd, DIGITS * 10, "lower limit");
	is_near(a.abs.loa_hi_ci.hi, 5 + 1.96 * sd + t * se, DIGITS * 10, "interval of the upper one");
	is_near(a.abs.loa.hi - a.abs.loa_hi_ci.lo, t * se, DIGITS * 10, "on both sides");

	double bias = 2.919986 * sqrt(3);
	double high = sqrt(11 + hypot(9 * (2 / 0.1025866 - 1), 2 * (3 / 0.3518463 - 1)));
	/* Satterthwaite's degrees of freedom of 11, and 11 / (9 / 3) differences that are known. */
	double low = sd * dist_tolerance_inner(1.96, 11. / 3, 121 / (81. / 2 + 4. / 3), 0.95);

	is_near(a.abs.outer.hi, 5 + 1.96 * sd + hypot(bias, 1.96 * (high - sd)), 1e-4, "outer bound");
	is_near(a.abs.outer.lo, 10 - a.abs.outer.hi, 1e-9, "as far on the other side");
	is_near(a.abs.inner.hi, 5 + low, 1e-9, "inner bound");
	is_near(a.abs.inner.lo, 10 - a.abs.inner.hi, 1e-9, "and its opposite");
	is_near(a.abs.surely_within.hi, 5 + bias + sqrt(4 / 0.45) * high, 1e-4, "bound for any shape");
	is_near(a.abs.surely_within.lo, 10 - a.abs.surely_within.hi, 1e-9, "on both sides");
	is_near(a.pct.sd, a.abs.sd, 1e-9, "percents of 100 are the same");
	is_near(a.pct.outer.hi, a.abs.outer.hi, 1e-9, "with the same bounds");
}

/* Means 2, 5, 8; MSW = (2 + 0 + 8) / 3; harmonic mean of 2, 1, 3 is 18 / 11. */
static void test_unbalanced(void)
{
	static const double d[] = { 1, 3, 5, 6, 8, 10 };
	static const size_t clusters[] = { 0, 0, 1, 2, 2, 2 };
	struct agreement a = compare_diffs(d, clusters, 6, &usual);

	is_near(a.abs.bias, 5, DIGITS, "clusters of 2, 1 and 3: each counts once");
	is_near(a.abs.sd, sqrt(9 + 7. / 18 * 10 / 3), DIGITS, "SD");
	is_near(a.abs.sd_within, sqrt(10. / 3), DIGITS, "within");
	is_near(a.abs.sd_between, sqrt(9 - 11. / 18 * 10 / 3), DIGITS, "between");

	static const double noise[] = { -4, 4, 3, -3, 5, -5 };
	static const size_t pairs[] = { 0, 0, 1, 1, 2, 2 };

	a = compare_diffs(noise, pairs, 6, &usual);
	is_near(a.abs.sd_between, 0, 0, "more difference within clusters than between: none is between");
	is_near(a.abs.sd, sqrt(100. / 3 / 2), DIGITS, "and the SD is not below what was seen");
}

static void test_same_differences(void)
{
	static const double d[] = { 2, 2, 2, 2 };
	static const size_t clusters[] = { 0, 0, 1, 2 };
	struct agreement_params params = usual;

	for (int i = 0; i < 2; i++) {
		struct agreement a = compare_diffs(d, i ? clusters : NULL, 4, &params);

		is_near(a.pct.sd, 0, 0, "all differences the same: no SD");
		ok(a.pct.outer.lo == 2 && a.pct.outer.hi == 2 && a.pct.inner.lo == 2 && a.pct.inner.hi == 2,
		   "and bounds at the bias");
		ok(a.pct.loa_lo_ci.lo == 2 && a.pct.loa_hi_ci.hi == 2, "like the limits");
		is_int(a.verdict, AGREEMENT_VALIDATED, "validated");
		is_near(a.tost_p, 0, 0, "beyond doubt");
	}

	params.margin_pct = 1;

	struct agreement a = compare_diffs(d, NULL, 4, &params);

	is_int(a.verdict, AGREEMENT_REJECTED, "outside the margin: rejected");
	is_near(a.tost_p, 1, 0, "beyond doubt too");
	params.margin_pct = 5;
	params.z_uncertainty_pct = 1;
	a = compare_diffs(d, NULL, 4, &params);

	is_near(a.pct.outer.hi, 2 + dist_t_quantile(0.95, 3), 1e-9,
		"what all z share remains: the outer bound");
	is_near(a.pct.inner.hi, 2 - dist_t_quantile(0.975, 3), 1e-9, "and the inner one, of both sides");
	is_near(a.pct.bias_ci.hi, 2 + dist_t_quantile(0.975, 3), 1e-9, "and the interval of the bias");
	is_near(a.tost_p, dist_t_upper(3, 3), 1e-12, "and the test");
	is_near(a.abs.outer.hi, 2, 1e-9, "but of percents only");
}

/* Four differences have the factors 6.0151, and 0.8356 of both sides; 0.9825 would be that of one. */
static void test_single(void)
{
	static const double d[] = { 1, 2, 4, 7 };
	struct agreement a = compare_diffs(d, NULL, 4, &usual);

	is_near(a.pct.outer.hi, 3.5 + 6.0150659 * sqrt(7), 1e-5, "four clusters of one: outer bound");
	is_near(a.pct.outer.lo, 3.5 - 6.0150659 * sqrt(7), 1e-5, "and below");
	is_near(a.pct.inner.hi, 3.5 + 0.8355579 * sqrt(7), 1e-5, "inner bound");
	is_near(a.pct.inner.lo, 3.5 - 0.8355579 * sqrt(7), 1e-5, "and below");
}

/* Schuirmann's two tests by hand: mean 1, s 2, n 16, margin 2: t = 1 / 0.5 and 3 / 0.5. */
static void test_tost(void)
{
	struct limits_moments m = {
		.k = 16, .n = 16, .bias = 1, .variance_clusters = 4, .variance_within = NAN
	};

	is_near(limits_tost_p(&m, 2), dist_t_upper(2, 15), 1e-15, "two one-sided tests: the larger p");
	m.bias = -1;
	is_near(limits_tost_p(&m, 2), dist_t_upper(2, 15), 1e-15, "on either side");
	is_near(limits_tost_p(&m, 1), 0.5, 1e-15, "at the margin it is a half");
	ok(limits_tost_p(&m, 0.5) > 0.5, "and more beyond");
}

/* Normal differences with exactly this mean and SD of clusters' means, and SD within clusters of two. */
static struct agreement make_exact(size_t k, bool has_two, double bias, double sd,
				   const struct agreement_params *p)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	cleanup_free double *d = xcalloc(2 * k, sizeof(*d)), *means = xcalloc(k, sizeof(*means));
	cleanup_free size_t *clusters = xcalloc(2 * k, sizeof(*clusters));
	double mean = 0, squares = 0;
	size_t n = 0;

	/* None of these is far off. */
	gsl_rng_set(rng, 2);
	for (size_t c = 0; c < k; c++)
		mean += (means[c] = gsl_ran_ugaussian(rng)) / (double)k;
	for (size_t c = 0; c < k; c++)
		squares += (means[c] - mean) * (means[c] - mean);
	for (size_t c = 0; c < k; c++) {
		double own = bias + sd * (means[c] - mean) / sqrt(squares / ((double)k - 1));

		for (int i = 0; i < 1 + has_two; i++, n++) {
			d[n] = own + (has_two ? i ? 0.5 : -0.5 : 0);
			clusters[n] = c;
		}
	}
	gsl_rng_free(rng);
	return compare_diffs(d, clusters, n, p);
}

static bool are_around(const struct agreement_limits *l)
{
	return l->outer.lo <= l->loa.lo && l->loa.lo <= l->inner.lo && l->inner.hi <= l->loa.hi &&
	       l->loa.hi <= l->outer.hi;
}

static void test_verdict(void)
{
	struct agreement_params p = usual;
	enum agreement_verdict last = AGREEMENT_REJECTED;
	unsigned changes = 0, runs = 0, around = 0, undecided = 0, silent = 0, needed = 0;

	for (p.margin_pct = 0.5; p.margin_pct < 15; p.margin_pct += 0.1, runs++) {
		struct agreement a = make_exact(15, true, 1, 1.5, &p);

		changes += a.verdict != last;
		last = a.verdict;
		around += are_around(&a.pct);
		undecided += a.verdict == AGREEMENT_UNDECIDED;
		silent += a.clusters_needed == 0 && a.verdict_reason[0] == '\0';
		needed += a.clusters_needed > a.clusters &&
			  strcmp(a.verdict_reason, "more clusters would tell") == 0;
	}
	is_int(last, AGREEMENT_VALIDATED, "the wider the margin the better: at last validated");
	is_int(changes, 2, "from rejected to undecided to validated");
	is_int(around, runs, "bounds are around the limits");
	is_int(silent, runs - undecided, "what is decided needs no reason and no more clusters");
	/* For at most one step of the margin the limit is too near. */
	ok(undecided > 5 && needed + 1 >= undecided, "between, a number of clusters would decide");
}

static void test_confidence(void)
{
	struct agreement_params p = usual, q = usual;

	q.confidence = q.confidence_validated = 0.99;

	struct agreement a = make_exact(15, false, 1, 1.5, &p), b = make_exact(15, false, 1, 1.5, &q);

	ok(b.pct.outer.hi > a.pct.outer.hi && b.pct.inner.hi < a.pct.inner.hi,
	   "more confidence: bounds farther apart");
	is_near(b.pct.loa_hi_ci.hi, a.pct.loa_hi_ci.hi, 0, "intervals stay 95 %");
}

/* Undecided for ever: what all z share is too much. And not for ever, but for very long. */
static void test_never(void)
{
	struct agreement_params p = usual;

	p.z_uncertainty_pct = 4;

	struct agreement a = make_exact(20, false, 0, 1, &p);

	is_int(a.verdict, AGREEMENT_UNDECIDED, "an uncertain z: undecided");
	is_int(a.clusters_needed, 0, "whatever the number of clusters");
	is_str(a.verdict_reason, "no number of clusters would tell", "which is said");
	p.z_uncertainty_pct = 0;
	/*
	 * 95 % lie within 1.96 SD. A wider margin is seen by counting: 59 when none is beyond; 93 when one
	 * may be, which with 99 % within the margin is so in (0.99 + 93 * 0.01) 0.99^92 = 0.76, and 124 for
	 * two.
	 */
	p.margin_pct = dist_normal_quantile(0.995);
	is_int(make_exact(20, false, 0, 1, &p).clusters_needed, 124, "99 % within: by counting 124");
	p.margin_pct = 1.96 * 1.0001;
	is_int(make_exact(20, false, 0, 1, &p).clusters_needed, 0, "at the limit more than anyone has");
}

/* What clusters_needed relies on: moments that stay, and clusters that become more, never lose a verdict. */
static void test_monotone(void)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	unsigned lost = 0, decided = 0;

	for (unsigned i = 0; i < 500; i++) {
		double replicates = 1 + (double)gsl_rng_uniform_int(rng, 4);
		struct limits_moments m = { .bias = gsl_ran_gaussian(rng, 2),
					    .variance_clusters = gsl_ran_exponential(rng, 2) };
		enum agreement_verdict last = AGREEMENT_UNDECIDED;

		m.within_share = 1 - 1 / replicates;
		m.variance_within = replicates > 1 ? gsl_ran_exponential(rng, 2) : (double)NAN;
		m.uncertainty = gsl_rng_uniform_int(rng, 2) ? gsl_ran_flat(rng, 0, 1) : 0;
		for (m.k = 2; m.k < 1e5; m.k = ceil(1.1 * m.k)) {
			struct agreement_limits l;

			m.n = m.k * replicates;
			limits_compute(&m, 0.95, 0.95, &l);

			enum agreement_verdict verdict = limits_verdict(&l, 5);

			lost += last != AGREEMENT_UNDECIDED && verdict != last;
			last = verdict;
		}
		decided += last != AGREEMENT_UNDECIDED;
	}
	gsl_rng_free(rng);
	is_int(lost, 0, "more clusters never lose a verdict");
	ok(decided > 250, "and most have one at last");
}

/* All within the margin: (1 - 0.95)^(1 / k) of such are, as for a proportion whose test found no failure. */
static void test_within(void)
{
	double d[60];
	struct agreement_params p = usual;

	for (size_t i = 0; i < 60; i++)
		d[i] = i % 2 ? 4.9 : -4.9;
	is_near(compare_diffs(d, NULL, 4, &p).pct.surely_within.hi, 4.9 * (1.1766 + 10.062), 1,
		"4 of +-4.9 %");
	is_near(compare_diffs(d, NULL, 4, &p).within_share, 0.4729, 1e-4, "share for 4 clusters");
	is_near(compare_diffs(d, NULL, 20, &p).within_share, 0.8609, 1e-4, "for 20");
	is_int(compare_diffs(d, NULL, 58, &p).verdict, AGREEMENT_UNDECIDED, "58 are too few for 95 %");
	is_int(compare_diffs(d, NULL, 59, &p).verdict, AGREEMENT_VALIDATED,
	       "59 are enough, whatever the shape");
	p.z_uncertainty_pct = 0.07;
	is_int(compare_diffs(d, NULL, 59, &p).within, 0, "what all z share may move them beyond");
	d[7] = 5;
	is_int(compare_diffs(d, NULL, 59, &usual).within, 58, "at the margin is not within");
	is_near(compare_diffs(d, NULL, 59, &usual).within_share, 0.9221, 1e-4,
		"58 of 59, by Clopper and Pearson");
}

static void test_outlier(void)
{
	/* The last one's studentised residual without itself: 3 / (sqrt(2) sqrt(1 + 1 / 9)), as 4.5 of +-1.
	 */
	double d[] = { 1, -1, 1, -1, 1, -1, 1, -1, 0, 0 };

	for (int i = 0; i < 2; i++) {
		/* t with 8 degrees of freedom is beyond 4.5008 (others' SD 1) in 0.1 % of both sides: 1 %
		 * of 10. */
		d[9] = 5.0413 * sqrt(10. / 9) * (i ? 1.001 : 0.999);
		is_int(compare_diffs(d, NULL, 10, &usual).has_outlier, i,
		       i ? "beyond it" : "one far off, at 1 %");
	}
	is_str(compare_diffs(d, NULL, 10, &usual).verdict_reason, "one is far off", "which is said");
	d[3] = d[9];
	ok(!compare_diffs(d, NULL, 4, &usual).has_outlier, "of few it takes more");
}

static void test_names(void)
{
	is_str(agreement_verdict_name(AGREEMENT_VALIDATED), "validated", "verdicts have names");
	is_str(agreement_verdict_name(AGREEMENT_REJECTED), "rejected", "each");
	is_str(agreement_verdict_name(AGREEMENT_UNDECIDED), "undecided", "of them");
}

TAP_MAIN(test_balanced, test_unbalanced, test_same_differences, test_single, test_tost, test_verdict,
	 test_confidence, test_never, test_monotone, test_within, test_outlier, test_names)
