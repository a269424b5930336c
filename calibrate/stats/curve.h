/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

#include "calibrate/stats/distribution.h"

/*
 * The threshold as a function of the guest's RAM, Z*(X), through the thresholds of several guests that differ
 * in X only: a line, by least squares weighted with what is known of each Z*. The kernel sets aside a share
 * of RAM for page structures and a little for itself, so a line is what it should be; watermarks grow with
 * the root of X, so it is not exactly one, which shows as scatter.
 */

struct curve_point {
	double x_mib;
	double z_kib, z_se_kib; /**< Z* and its standard uncertainty, > 0 */
	double available_kib;   /**< MemAvailable before the load; NAN when not known */
};

struct curve {
	size_t n; /**< points used; fewer than 2, or all of one X: no curve, all else NAN */
	double intercept_kib, slope_kib_per_mib;
	double intercept_se_kib, slope_se, covariance;
	/** Standard deviation of thresholds around the line beyond their own uncertainty; NAN for n < 3: not
	 * known */
	double scatter_kib;
	double z_se_kib;           /**< root of the mean square of the points' own uncertainties */
	double x_lo_mib, x_hi_mib; /**< range of the points: outside is extrapolation */
	/**
	 * Mean of Z* / MemAvailable over the points: how good the kernel's own guess is; NAN when none is
	 * known
	 */
	double available_ratio;
};

/**
 * Fits the line with weights 1 / (z_se^2 + scatter^2). The scatter is the one with which the weighted squares
 * of the residuals add up to their degrees of freedom, n - 2, or 0 when they are less without any (Paule &
 * Mandel, J. Res. Natl. Bur. Stand. 87, 1982, 377-385, for a mean; here for a line). Points with a value that
 * is not finite, or whose z_se is not above 0, are left out.
 */
void curve_fit(const struct curve_point *points, size_t n, struct curve *ret);

/** Z* of a guest of that X, with the 95 % interval in which a threshold measured there would lie. */
struct curve_prediction {
	double z_kib;
	struct interval z_pi_kib; /**< NAN, NAN for fewer than 3 points: the scatter is not known */
};

/**
 * The interval is that of Student's t with n - 2 degrees of freedom, from the line's uncertainty at x, the
 * scatter, and an uncertainty of the new threshold like that of the points. Where that uncertainty alone
 * explains how the points lie, the interval is wider than it need be: a scatter of 0 is an estimate from few
 * points, too, and with more degrees of freedom it would be too narrow whenever it is wrong.
 */
struct curve_prediction curve_predict(const struct curve *c, double x_mib);
