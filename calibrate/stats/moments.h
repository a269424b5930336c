/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

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

struct line_moments line_moments_of(const double *z, const double *y, size_t n);
