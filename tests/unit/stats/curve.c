/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The line Z*(X) on points for which it can be computed by hand, and on too few of them. What this cannot
 * show is how often its prediction intervals hold: tests/sim/quantal.c.
 */

#include "calibrate/stats/curve.h"
#include "tests/tap.h"

static bool is_no_interval(struct interval i)
{
	return isnan(i.lo) && isnan(i.hi);
}

static void test_exact(void)
{
	struct curve_point p[] = { { 256, 1000 + 900.0 * 256, 300, 1.25 * (1000 + 900.0 * 256) },
				   { 512, 1000 + 900.0 * 512, 200, NAN },
				   { 2048, 1000 + 900.0 * 2048, 100, 1000 + 900.0 * 2048 },
				   { 1024, 1000 + 900.0 * 1024, 400, 0 } };
	struct curve c;
	struct curve_prediction at;

	curve_fit(p, 4, &c);
	is_int(c.n, 4, "four points on a line");
	is_near(c.slope_kib_per_mib, 900, 1e-9, "its slope");
	is_near(c.intercept_kib, 1000, 1e-6, "its intercept");
	is_near(c.scatter_kib, 0, 0, "no scatter");
	ok(c.x_lo_mib == 256 && c.x_hi_mib == 2048, "the range, of points in any order");
	is_near(c.available_ratio, 0.9, 1e-12, "the mean of Z / MemAvailable where that is known");
	is_near(c.z_se_kib, sqrt((300.0 * 300 + 200 * 200 + 100 * 100 + 400 * 400) / 4), 1e-9,
		"the points' own uncertainty");
	at = curve_predict(&c, 4096);
	is_near(at.z_kib, 1000 + 900.0 * 4096, 1e-6, "a prediction outside of the range");
	ok(interval_has(at.z_pi_kib, at.z_kib), "has an interval");
	ok(at.z_pi_kib.hi - at.z_pi_kib.lo >
		   curve_predict(&c, 1500).z_pi_kib.hi - curve_predict(&c, 1500).z_pi_kib.lo,
	   "wider than one among the points");
}

/* Three points with the same uncertainty u: all can be computed by hand. */
static void test_by_hand(void)
{
	struct curve_point p[] = { { 1, 0, 2, NAN }, { 2, 9, 2, NAN }, { 3, 6, 2, NAN } };
	struct curve c;
	struct curve_prediction at;

	/* Slope 3, mean 5: residuals -2, 4, -2; 24 / (u^2 + scatter^2) = 1. */
	curve_fit(p, 3, &c);
	is_near(c.slope_kib_per_mib, 3, 1e-9, "three points: slope");
	is_near(c.intercept_kib, -1, 1e-9, "intercept");
	is_near(c.scatter_kib, sqrt(24 - 4), 1e-9,
		"the scatter that leaves one square for one degree of freedom");
	is_near(c.slope_se, sqrt(24.0 / 2), 1e-9, "standard error of the slope, by the whole variance");
	is_near(c.intercept_se_kib, sqrt(24.0 / 3 + 4 * 24.0 / 2), 1e-9, "and of the intercept");
	is_near(c.covariance, -2 * 24.0 / 2, 1e-9, "and their covariance");
	ok(isnan(c.available_ratio), "no MemAvailable known: no ratio");
	at = curve_predict(&c, 2);
	/* Student's t with one degree of freedom is Cauchy's: its quantile is a tangent. */
	is_near(at.z_pi_kib.hi, 5 + tan(0.475 * M_PI) * sqrt(24.0 / 3 + 20 + 4), 1e-6,
		"prediction interval: line, scatter, and the new threshold's own uncertainty");
	is_near(at.z_pi_kib.lo, 10 - at.z_pi_kib.hi, 1e-6, "symmetric");

	for (size_t i = 0; i < 3; i++)
		p[i].z_se_kib = 5;
	curve_fit(p, 3, &c);
	is_near(c.scatter_kib, 0, 0, "uncertainties explain the residuals: no scatter");
	is_near(c.slope_se, 5 / sqrt(2), 1e-9, "standard errors by the known uncertainties");
}

static void test_weights(void)
{
	/* Two good points; two bad ones beside them say something else. */
	struct curve_point p[] = {
		{ 1, 10, 1, NAN }, { 3, 30, 1, NAN }, { 1, 11, 1e3, NAN }, { 3, 60, 1e3, NAN }
	};
	struct curve c;

	curve_fit(p, 4, &c);
	is_near(c.slope_kib_per_mib, 10, 1e-3, "points with large uncertainties hardly count");
	is_near(c.slope_se, 1 / sqrt(2), 1e-3, "nor make the line surer");

	/* Two thresholds at one X, u = 1 and 3: the mean weighs them 9 to 1. */
	struct curve_point q[] = { { 1, 0, 1, NAN }, { 1, 1, 3, NAN }, { 2, 5, 1, NAN } };

	curve_fit(q, 3, &c);
	is_near(c.intercept_kib + c.slope_kib_per_mib, 0.1, 1e-9, "weights are 1 / uncertainty squared");
	is_near(c.scatter_kib, 0, 0, "that they differ by less than their uncertainties is no scatter");
}

static void test_too_few(void)
{
	struct curve_point p[] = { { 256, 190000, 100, 200000 }, { 512, 420000, 100, 440000 } };
	struct curve_point bad[] = { { NAN, 1, 1, NAN },
				     { 256, NAN, 1, NAN },
				     { 256, 1, 0, NAN },
				     { 256, 1, NAN, NAN },
				     { 256, INFINITY, 1, NAN } };
	struct curve c;

	curve_fit(p, 2, &c);
	is_near(c.slope_kib_per_mib, 230000.0 / 256, 1e-9, "two points: the line through them");
	is_near(c.slope_se, 100 * sqrt(2) / 256, 1e-9, "as sure as they are");
	ok(isnan(c.scatter_kib), "their scatter is not known");
	is_near(curve_predict(&c, 384).z_kib, 305000, 1e-6, "it predicts");
	ok(is_no_interval(curve_predict(&c, 384).z_pi_kib), "without an interval");

	curve_fit(p, 1, &c);
	is_int(c.n, 1, "one point");
	ok(isnan(c.slope_kib_per_mib) && isnan(c.intercept_kib) && isnan(c.available_ratio) &&
		   isnan(c.x_lo_mib),
	   "is no curve");
	ok(isnan(curve_predict(&c, 1).z_kib) && is_no_interval(curve_predict(&c, 1).z_pi_kib),
	   "and predicts nothing");
	curve_fit(NULL, 0, &c);
	ok(c.n == 0 && isnan(c.slope_kib_per_mib), "nor are no points");
	p[1].x_mib = 256;
	curve_fit(p, 2, &c);
	ok(c.n == 2 && isnan(c.slope_kib_per_mib) && isnan(c.slope_se) && isnan(c.x_lo_mib),
	   "nor points of one X");
	curve_fit(bad, 5, &c);
	is_int(c.n, 0, "points with no number or no uncertainty are left out");
}

static void test_scale(void)
{
	struct curve_point p[] = { { 256, 190000, 300, NAN },
				   { 512, 423000, 500, NAN },
				   { 1024, 880000, 400, NAN },
				   { 4096, 3650000, 900, NAN } };
	struct curve a, b;

	curve_fit(p, 4, &a);
	for (size_t i = 0; i < 4; i++) {
		p[i].x_mib += 1e5;
		p[i].z_kib *= 2;
		p[i].z_se_kib *= 2;
	}
	curve_fit(p, 4, &b);
	is_near(b.slope_kib_per_mib / a.slope_kib_per_mib, 2, 1e-9, "another scale of Z: the slope");
	is_near(b.scatter_kib / a.scatter_kib, 2, 1e-9, "and the scatter follow");
	is_near(curve_predict(&b, 101000).z_pi_kib.hi / curve_predict(&a, 1000).z_pi_kib.hi, 2, 1e-9,
		"as the prediction does, from another zero of X");
}

TAP_MAIN(test_exact, test_by_hand, test_weights, test_too_few, test_scale)
