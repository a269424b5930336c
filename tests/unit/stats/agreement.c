/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Agreement by published examples: what other programs and papers found for the same numbers. It shows that
 * the formulas are the known ones, not that they are right for data like ours; for coverage see
 * tests/sim/agreement.c.
 */

#include "calibrate/stats/agreement-line.h"
#include "tests/tap.h"
#include "tests/unit/stats/agreement.h"

/* Relative tolerance for figures that were computed anew with more digits than were published. */
#define DIGITS 1e-5

#define is_figure(got, want, what) is_near(got, want, fabs(want) * DIGITS, what)

static void test_pefr_limits(void)
{
	struct agreement a = compare(mini_1, wright_1, PEFR_N);

	is_near(a.abs.bias, -2.1, 0.05, "PEFR: the published bias");
	is_near(a.abs.sd, 38.8, 0.05, "the published SD");
	is_near(a.abs.bias - 2 * a.abs.sd, -79.7, 0.1, "the published lower limit, of 2 SD");
	is_near(a.abs.bias + 2 * a.abs.sd, 75.5, 0.15, "and the upper one");
	is_figure(a.abs.bias, -2.117647, "the bias");
	is_figure(a.abs.sd, 38.765130, "the SD");
	is_figure(a.abs.sd_between, 38.765130, "without replicates all of it counts as between clusters");
	ok(isnan(a.abs.sd_within), "and nothing is known of replicates");
	is_figure(a.abs.bias - 1.96 * a.abs.sd, -78.0973, "the lower limit, of 1.96 SD");
	is_figure(a.abs.bias + 1.96 * a.abs.sd, 73.8620, "the upper limit");
	is_figure(a.abs.loa.hi - a.abs.bias, 1.96 * a.abs.sd, "both are as far from the bias");
	is_figure(a.abs.bias_ci.lo, -22.0488, "the interval of the bias, lower end");
	is_figure(a.abs.bias_ci.hi, 17.8135, "upper end");

	double t = dist_t_quantile(0.975, 16);

	is_figure((a.abs.loa_lo_ci.hi - a.abs.loa_lo_ci.lo) / 2 / t, 16.284612, "standard error of a limit");
	is_figure((a.abs.loa_hi_ci.hi - a.abs.loa.hi) / t, 16.284612, "which is that of the other");
	is_int(a.n, 17, "17 pairs");
	is_int(a.clusters, 17, "are 17 clusters");
	is_near(a.replicates_mean, 1, 0, "of one pair each");
}

/* Two readings of the same meter: 2 sqrt(mean d^2) / sqrt(1) is the published repeatability, around a bias of
 * zero. */
static void test_pefr_repeatability(void)
{
	struct agreement a = compare(wright_1, wright_2, PEFR_N), b = compare(mini_1, mini_2, PEFR_N);
	double wright = a.abs.sd * a.abs.sd * 16 / 17 + a.abs.bias * a.abs.bias;
	double mini = b.abs.sd * b.abs.sd * 16 / 17 + b.abs.bias * b.abs.bias;

	is_figure(2 * sqrt(wright), 43.294, "repeatability of Wright's meter");
	is_figure(2 * sqrt(mini), 56.316, "repeatability of the mini meter");
}

static void test_pefr_ccc(void)
{
	struct agreement a = compare(wright_1, mini_1, PEFR_N);

	is_figure(a.ccc, 0.942742, "PEFR: Lin's concordance");
	is_figure(a.ccc_ci.lo, 0.850492, "its interval, lower end");
	is_figure(a.ccc_ci.hi, 0.978726, "upper end");
	is_figure(a.ccc / 0.943279, 0.999431, "it is r times C_b");
}

static void test_pefr_lines(void)
{
	struct agreement a = compare(wright_1, mini_1, PEFR_N);

	is_near(a.error_ratio, 1, 0, "PEFR: without replicates errors are taken for equal");
	ok(!a.has_error_ratio, "and that is said");
	is_figure(a.deming.slope, 0.970881, "Deming's slope");
	is_figure(a.deming.intercept, 15.231556, "and intercept");
	is_figure(a.passing_bablok.slope, 1.064815, "Passing and Bablok's slope");
	is_figure(a.passing_bablok.slope_ci.lo, 0.837079, "its interval, lower end");
	is_figure(a.passing_bablok.slope_ci.hi, 1.396825, "upper end");
	is_figure(a.passing_bablok.intercept, -24.305556, "the intercept");
	is_figure(a.passing_bablok.intercept_ci.lo, -178.0317, "its interval, lower end");
	is_figure(a.passing_bablok.intercept_ci.hi, 82.9382, "upper end");
	ok(a.is_pb_enumerated, "by looking at every slope");
	/* 8 points above, 8 below, at most 2 apart along the line: h = 2 / sqrt(8 + 1). */
	is_figure(a.linearity_p, 0.765763, "the relation is a line");
}

/* The errors of x have 4 times the variance of those of y. */
static void test_ncss_deming(void)
{
	static const double x[] = { 7, 8.3, 10.5, 9, 5.1, 8.2, 10.2, 10.3, 7.1, 5.9 };
	static const double y[] = { 7.9, 8.2, 9.6, 9, 6.5, 7.3, 10.2, 10.6, 6.3, 5.2 };
	double t = dist_t_quantile(0.975, 8);
	struct agreement_line line;

	deming_fit(x, y, 10, 4, &line);
	is_near(line.slope, 1.0012, 5e-5, "NCSS: the published slope");
	is_near(line.intercept, -0.0897, 5e-5, "and intercept");
	is_figure(line.slope, 1.001194, "the slope");
	is_figure(line.intercept, -0.089745, "the intercept");
	is_figure((line.slope_ci.hi - line.slope) / t, 0.187177, "its standard error by the jackknife");
	is_figure((line.intercept_ci.hi - line.intercept) / t, 1.721987, "and that of the intercept");
	deming_fit(x, y, 10, 0.25, &line);
	is_near(line.slope, 0.8906, 5e-5, "the ratio the wrong way round is another line");
	deming_fit(y, x, 10, 0.25, &line);
	is_figure(line.slope, 1 / 1.001194, "and both the other way round are the same line");

	/* Recomputed by searching for the least weighted sum of squares, again and again. */
	deming_fit_weighted(x, y, 10, 1, &line);
	is_figure(line.slope, 0.926223, "weighted: the slope for equal errors");
	deming_fit_weighted(x, y, 10, 4, &line);
	is_figure(line.slope, 1.031228, "the slope");
	is_figure(line.intercept, -0.328376, "the intercept");
	is_figure((line.slope_ci.hi - line.slope) / t, 0.220204, "its standard error");
	is_figure((line.intercept_ci.hi - line.intercept) / t, 1.974338, "and that of the intercept");
}

/* The example of methcomp, which R's mcr agrees with. */
static void test_methcomp(void)
{
	static const double y[] = { 1.03,  2.05,  2.79,  3.67,  5.00,  5.82,  7.16,  7.69,  8.53,  10.38,
				    11.11, 12.17, 13.47, 13.83, 15.15, 16.12, 16.94, 18.09, 19.13, 19.54 };
	double x[20];

	for (size_t i = 0; i < 20; i++)
		x[i] = (double)i + 1;

	struct agreement a = compare(x, y, 20);

	is_figure(a.deming.slope, 1.00662190, "methcomp: Deming's slope");
	is_figure(a.deming.intercept, -0.08602996, "and intercept");
	is_figure(a.passing_bablok.slope, 1.0050, "Passing and Bablok's slope");
	is_figure(a.passing_bablok.intercept, 0.0125, "and intercept");
	/*
	 * Ranks 64.8 and 126.2: the paper rounds them, to 65 and 126. mcr takes the geometric mean of two
	 * slopes for each, 65 and 66 and 125 and 126: 0.9848077 .. 1.0265805.
	 */
	is_figure(a.passing_bablok.slope_ci.lo, 0.98461538, "its interval, lower end: the slope of rank 65");
	is_figure(a.passing_bablok.slope_ci.hi, 1.02777778, "upper end: that of rank 126");
	ok(a.passing_bablok.slope_ci.lo <= 0.9848077 && a.passing_bablok.slope_ci.hi >= 1.0265805,
	   "which holds that of mcr");

	/* methcomp takes x - y, an SD of denominator n, and the normal distribution. */
	double sd = a.abs.sd * sqrt(19. / 20);

	is_figure(-a.abs.bias, 0.0165, "bias");
	is_figure(-a.abs.bias - 1.959964 * sd / sqrt(20), -0.092549,
		  "its interval for a known SD, lower end");
	is_figure(-a.abs.bias + 1.959964 * sd / sqrt(20), 0.125549, "upper end");
	is_figure(-a.abs.bias - 1.96 * sd, -0.471193, "lower limit");
	is_figure(-a.abs.bias + 1.96 * sd, 0.504193, "upper limit");

	/* Deming's line when only y has errors is least squares. */
	struct agreement_line line;

	deming_fit(x, y, 20, 1e-12, &line);
	is_figure(line.slope, 1.00570677, "least squares: slope");
	is_figure(line.intercept, -0.07642105, "and intercept");
}

TAP_MAIN(test_pefr_limits, test_pefr_repeatability, test_pefr_ccc, test_pefr_lines, test_ncss_deming,
	 test_methcomp)
