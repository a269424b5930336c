/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_CALIBRATE_CURVE_H
#define SWAPCAL_CALIBRATE_CURVE_H

#include <stddef.h>

#include "calibrate/distribution.h"

/*
 * The threshold as a function of the guest's RAM, Z*(X), through the thresholds of several guests that differ in X only: a
 * line, by least squares weighted with what is known of each Z*. The kernel sets aside a share of RAM for page
 * structures and a little for itself, so a line is what it should be; watermarks grow with the root of X, so it is not
 * exactly one, which shows as scatter.
 */

struct curve_point {
	double x_mib;
	double z_kib, z_se_kib; /**< Z* and its standard uncertainty, > 0 */
	double available_kib;   /**< MemAvailable before the load; NAN when not known */
};

struct curve {
	size_t n; /**< points; fewer than 2: no curve, all else NAN */
	double intercept_kib, slope_kib_per_mib;
	double intercept_se_kib, slope_se, covariance;
	/** Standard deviation of thresholds around the line beyond their own uncertainty; NAN for n < 3: not known */
	double scatter_kib;
	double x_lo_mib, x_hi_mib; /**< range of the points: outside is extrapolation */
	/** Mean of Z* / MemAvailable over the points: how right the kernel's own guess is; NAN when none is known */
	double available_ratio;
};

void curve_fit(const struct curve_point *points, size_t n, struct curve *ret);

/** Z* of a guest of that X, with the 95 % interval in which a threshold measured there would lie. */
struct curve_prediction {
	double z_kib;
	struct interval z_pi_kib; /**< NAN, NAN for fewer than 3 points: the scatter is not known */
};

struct curve_prediction curve_predict(const struct curve *c, double x_mib);

#endif
