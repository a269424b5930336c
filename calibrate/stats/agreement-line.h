/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "calibrate/stats/distribution.h"

/* Lines through points with errors in both coordinates, and the moments that agreement is made of. */

/* Means and sums of squares, computed so that large values that differ little lose no digits. */

/** Mean of n >= 1 values; exact when all are the same. */
double mean_of(const double *x, size_t n);

/** Sums of squares around the means of n points. */
struct line_moments {
	double n;
	double mean_z, mean_y;
	double zz, yy, zy;
};

void line_moments_add(struct line_moments *m, double z, double y);

/** The moments of both sets of points. */
struct line_moments line_moments_merge(const struct line_moments *a, const struct line_moments *b);

/** The moments of n points; weights NULL: each counts once. */
struct line_moments line_moments_of(const double *z, const double *y, const double *weights, size_t n);

/** y = intercept + slope z, with 95 % intervals. All NAN when z is constant or there are too few clusters. */
struct agreement_line {
	double slope, intercept;
	struct interval slope_ci, intercept_ci;
};

/**
 * Deming's line with error ratio Var(error of z) / Var(error of y). Maximum likelihood for normal errors
 * (Fuller 1987, Measurement error models, 1.3). NAN when z is constant or no line is better than another.
 */
void deming_fit(const double *z, const double *y, size_t k, double ratio, struct agreement_line *ret);

/**
 * As deming_fit() with errors that grow with the value (Linnet 1993). NAN when some value is not above 0.
 * Returns false when lines and weights swing and do not settle: then the slope is NAN, or its interval when
 * that is so without some of the points.
 */
bool deming_fit_weighted(const double *z, const double *y, size_t k, double ratio,
			 struct agreement_line *ret);

/** Least squares of y - z on (y + z) / 2. */
void proportional_fit(const double *z, const double *y, size_t k, double *slope, struct interval *ci);

struct passing_bablok {
	struct agreement_line line;
	double linearity_p;
	bool is_enumerated;
};

/** All slopes of 2,000 points take 16 MB. */
#define PB_ENUMERATE_MAX 2000

/** Passing & Bablok 1983. Slopes of up to enumerate_max points are enumerated. */
void passing_bablok_fit(const double *z, const double *y, size_t k, size_t enumerate_max,
			struct passing_bablok *ret);
