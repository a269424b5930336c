/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Limits of agreement with replicates, by hand; the verdict, and how many cells it would take. It does not
 * show that bounds hold what they promise: tests/sim/agreement.c does.
 */
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

#include "calibrate/stats/agreement-limits.h"
#include "tests/tap.h"
#include "tests/unit/stats/agreement.h"

#define DIGITS 1e-6

/* Cell of each difference; z is 100, so that percents are the differences. */
static struct agreement compare_diffs(const double *diffs, const size_t *cells, size_t n,
				      const struct agreement_params *params)
{
	cleanup_free struct agreement_pair *pairs = xcalloc(n + 1, sizeof(*pairs));
	struct agreement a;

	for (size_t i = 0; i < n; i++)
		pairs[i] = (struct agreement_pair){ 100, 100 + diffs[i], cells ? cells[i] : i };
	agreement_compare(pairs, n, params, &a);
	return a;
}

/*
 * Means 2, 5, 8: s^2 = 9. MSW = (2 + 2 + 8) / 3 = 4. sd^2 = 9 + 4 / 2. Var(limit) = 9 / 3 + 2 / 11 (81 / 3 +
 * 2^2 / 3). MOVER at 95 %: chi-squared with 2 degrees of freedom 0.1025866 and 5.991465, with 3 0.3518463
 * and 7.814728; t 2.919986.
 */
static void test_balanced(void)
{
	static const double d[] = { 1, 3, 4, 6, 6, 10 };
	static const size_t cells[] = { 7, 7, 3, 3, 12, 12 };
	struct agreement a = compare_diffs(d, cells, 6, &usual);
	double se = sqrt(3 + 2. / 11 * (27 + 4. / 3)), t = 4.302653, sd = sqrt(11);

	is_int(a.cells, 3, "three cells of two by hand: cells");
	is_near(a.replicates_mean, 2, 0, "replicates");
	is_near(a.abs.bias, 5, DIGITS, "bias");
	is_near(a.abs.bias_ci.hi, 5 + t * sqrt(3), DIGITS * 10, "its interval counts cells, not pairs");
	is_near(a.abs.sd, sd, DIGITS, "SD of one difference");
	is_near(a.abs.sd_within, 2, DIGITS, "of which within cells");
	is_near(a.abs.sd_between, sqrt(7), DIGITS, "and between");
	is_near(a.abs.loa.lo, 5 - 1.96 * sd, DIGITS * 10, "lower limit");
	is_near(a.abs.loa_hi_ci.hi, 5 + 1.96 * sd + t * se, DIGITS * 10, "interval of the upper one");
	is_near(a.abs.loa.hi - a.abs.loa_hi_ci.lo, t * se, DIGITS * 10, "on both sides");

	double bias = 2.919986 * sqrt(3);
	double high = sqrt(11 + hypot(9 * (2 / 0.1025866 - 1), 2 * (3 / 0.3518463 - 1)));
	double low = sqrt(11 - hypot(9 * (1 - 2 / 5.991465), 2 * (1 - 3 / 7.814728)));

	is_near(a.abs.outer.hi, 5 + 1.96 * sd + hypot(bias, 1.96 * (high - sd)), 1e-4, "outer bound");
	is_near(a.abs.outer.lo, 10 - a.abs.outer.hi, 1e-9, "as far on the other side");
	is_near(a.abs.inner.hi, 5 + 1.96 * sd - hypot(bias, 1.96 * (sd - low)), 1e-4, "inner bound");
	is_near(a.abs.inner.lo, 10 - a.abs.inner.hi, 1e-9, "and its opposite");
	is_near(a.pct.sd, a.abs.sd, 1e-9, "percents of 100 are the same");
	is_near(a.pct.outer.hi, a.abs.outer.hi, 1e-9, "with the same bounds");
}

/* Means 2, 5, 8; MSW = (2 + 0 + 8) / 3; harmonic mean of 2, 1, 3 is 18 / 11. */
static void test_unbalanced(void)
{
	static const double d[] = { 1, 3, 5, 6, 8, 10 };
	static const size_t cells[] = { 0, 0, 1, 2, 2, 2 };
	struct agreement a = compare_diffs(d, cells, 6, &usual);

	is_near(a.abs.bias, 5, DIGITS, "cells of 2, 1 and 3: each counts once");
	is_near(a.abs.sd, sqrt(9 + 7. / 18 * 10 / 3), DIGITS, "SD");
	is_near(a.abs.sd_within, sqrt(10. / 3), DIGITS, "within");
	is_near(a.abs.sd_between, sqrt(9 - 11. / 18 * 10 / 3), DIGITS, "between");

	static const double noise[] = { -4, 4, 3, -3, 5, -5 };
	static const size_t pairs[] = { 0, 0, 1, 1, 2, 2 };

	a = compare_diffs(noise, pairs, 6, &usual);
	is_near(a.abs.sd_between, 0, 0, "more difference within cells than between: none is between");
	is_near(a.abs.sd, sqrt(100. / 3 / 2), DIGITS, "and the SD is not below what was seen");
}

static void test_same_differences(void)
{
	static const double d[] = { 2, 2, 2, 2 };
	static const size_t cells[] = { 0, 0, 1, 2 };
	struct agreement_params params = usual;

	for (int i = 0; i < 2; i++) {
		struct agreement a = compare_diffs(d, i ? cells : NULL, 4, &params);

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

	double bound = dist_t_quantile(0.95, 3);

	is_near(a.pct.outer.hi, 2 + bound, 1e-9, "what all z share remains: the outer bound");
	is_near(a.pct.inner.hi, 2 - bound, 1e-9, "and the inner one");
	is_near(a.pct.bias_ci.hi, 2 + dist_t_quantile(0.975, 3), 1e-9, "and the interval of the bias");
	is_near(a.tost_p, dist_t_upper(3, 3), 1e-12, "and the test");
	is_near(a.abs.outer.hi, 2, 1e-9, "but of percents only");
}

/* Schuirmann's two tests by hand: mean 1, s 2, n 16, margin 2: t = 1 / 0.5 and 3 / 0.5. */
static void test_tost(void)
{
	struct limits_moments m = {
		.k = 16, .n = 16, .bias = 1, .variance_cells = 4, .variance_within = NAN
	};

	is_near(limits_tost_p(&m, 2), dist_t_upper(2, 15), 1e-15, "two one-sided tests: the larger p");
	m.bias = -1;
	is_near(limits_tost_p(&m, 2), dist_t_upper(2, 15), 1e-15, "on either side");
	is_near(limits_tost_p(&m, 1), 0.5, 1e-15, "at the margin it is a half");
	ok(limits_tost_p(&m, 0.5) > 0.5, "and more beyond");
}

/* Normal differences with exactly this mean and SD of cells' means, and SD within cells of two. */
static struct agreement make_exact(size_t k, bool has_two, double bias, double sd,
				   const struct agreement_params *p)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	cleanup_free double *d = xcalloc(2 * k, sizeof(*d)), *means = xcalloc(k, sizeof(*means));
	cleanup_free size_t *cells = xcalloc(2 * k, sizeof(*cells));
	double mean = 0, squares = 0;
	size_t n = 0;

	for (size_t c = 0; c < k; c++)
		mean += (means[c] = gsl_ran_ugaussian(rng)) / (double)k;
	for (size_t c = 0; c < k; c++)
		squares += (means[c] - mean) * (means[c] - mean);
	for (size_t c = 0; c < k; c++) {
		double own = bias + sd * (means[c] - mean) / sqrt(squares / ((double)k - 1));

		for (int i = 0; i < 1 + has_two; i++, n++) {
			d[n] = own + (has_two ? i ? 0.5 : -0.5 : 0);
			cells[n] = c;
		}
	}
	gsl_rng_free(rng);
	return compare_diffs(d, cells, n, p);
}

static bool are_around(const struct agreement_limits *l)
{
	return l->outer.lo <= l->loa.lo && l->loa.lo <= l->inner.lo && l->inner.hi <= l->loa.hi &&
	       l->loa.hi <= l->outer.hi;
}

/* With as many cells of the same moments it is decided, and with one less it is not. */
static bool is_needed(const struct agreement *a, const struct agreement_params *p)
{
	bool is_outside = a->pct.loa.lo < -p->margin_pct || a->pct.loa.hi > p->margin_pct;
	struct agreement enough = make_exact(a->cells_needed, true, 1, 1.5, p);
	struct agreement fewer = make_exact(a->cells_needed - 1, true, 1, 1.5, p);

	return a->cells_needed > a->cells && fewer.verdict == AGREEMENT_UNDECIDED &&
	       enough.verdict == (is_outside ? AGREEMENT_REJECTED : AGREEMENT_VALIDATED);
}

static void test_verdict(void)
{
	struct agreement_params p = usual;
	enum agreement_verdict last = AGREEMENT_REJECTED;
	unsigned changes = 0, runs = 0, around = 0, undecided = 0, silent = 0, needed = 0, right = 0;

	for (p.margin_pct = 0.5; p.margin_pct < 15; p.margin_pct += 0.1, runs++) {
		struct agreement a = make_exact(15, true, 1, 1.5, &p);

		changes += a.verdict != last;
		last = a.verdict;
		around += are_around(&a.pct);
		undecided += a.verdict == AGREEMENT_UNDECIDED;
		silent += a.cells_needed == 0 && a.verdict_reason[0] == '\0';
		if (!a.cells_needed)
			continue;
		needed++;
		right += is_needed(&a, &p) && strcmp(a.verdict_reason, "more cells would tell") == 0;
	}
	is_int(last, AGREEMENT_VALIDATED, "the wider the margin the better: at last validated");
	is_int(changes, 2, "from rejected to undecided to validated");
	is_int(around, runs, "bounds are around the limits");
	is_int(silent, runs - undecided, "what is decided needs no reason and no more cells");
	/* For at most one step of the margin the limit is too near. */
	ok(undecided > 5 && needed + 1 >= undecided, "between, a number of cells would decide");
	is_int(right, needed, "and it is right");
}

static void test_confidence(void)
{
	struct agreement_params p = usual, q = usual;

	q.confidence = 0.99;

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
	is_int(a.cells_needed, 0, "whatever the number of cells");
	is_str(a.verdict_reason, "no number of cells would tell", "which is said");
	p.z_uncertainty_pct = 0;
	p.margin_pct = 1.96 * 1.001;
	a = make_exact(20, false, 0, 1, &p);
	is_int(a.cells_needed, 0, "a limit that close to the margin takes more cells than anyone has");
	p.margin_pct = 1.96 * 1.02;
	a = make_exact(20, false, 0, 1, &p);
	printf("# a limit 2 %% from the margin: %zu cells\n", a.cells_needed);
	ok(a.cells_needed > 5000 && a.cells_needed < 20000, "2 % from the margin it takes thousands");
}

/* What cells_needed relies on: moments that stay, and cells that become more, never lose a verdict. */
static void test_monotone(void)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	unsigned lost = 0, decided = 0;

	for (unsigned i = 0; i < 500; i++) {
		double replicates = 1 + (double)gsl_rng_uniform_int(rng, 4);
		struct limits_moments m = { .bias = gsl_ran_gaussian(rng, 2),
					    .variance_cells = gsl_ran_exponential(rng, 2) };
		enum agreement_verdict last = AGREEMENT_UNDECIDED;

		m.within_share = 1 - 1 / replicates;
		m.variance_within = replicates > 1 ? gsl_ran_exponential(rng, 2) : (double)NAN;
		m.uncertainty = gsl_rng_uniform_int(rng, 2) ? gsl_ran_flat(rng, 0, 1) : 0;
		for (m.k = 2; m.k < 1e5; m.k = ceil(1.1 * m.k)) {
			struct agreement_limits l;

			m.n = m.k * replicates;
			limits_compute(&m, 0.95, &l);

			enum agreement_verdict verdict = limits_verdict(&l, 5);

			lost += last != AGREEMENT_UNDECIDED && verdict != last;
			last = verdict;
		}
		decided += last != AGREEMENT_UNDECIDED;
	}
	gsl_rng_free(rng);
	is_int(lost, 0, "more cells never lose a verdict");
	ok(decided > 400, "and most have one at last");
}

static void test_names(void)
{
	is_str(agreement_verdict_name(AGREEMENT_VALIDATED), "validated", "verdicts have names");
	is_str(agreement_verdict_name(AGREEMENT_REJECTED), "rejected", "each");
	is_str(agreement_verdict_name(AGREEMENT_UNDECIDED), "undecided", "of them");
}

TAP_MAIN(test_balanced, test_unbalanced, test_same_differences, test_tost, test_verdict, test_confidence,
	 test_never, test_monotone, test_names)
