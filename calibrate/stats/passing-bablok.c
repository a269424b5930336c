/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Passing & Bablok 1983, J. Clin. Chem. Clin. Biochem. 21:709: a line through points with errors in both
 * coordinates that some wild points do not move. Its slope is the median of the slopes of all pairs of
 * points, shifted by the number K of those below -1, so that z and y may change places.
 *
 * It needs a slope near 1 and errors in proportion to it. Points with the same z make its intervals too wide,
 * as the variance that they use is Kendall's without ties.
 */
#include "calibrate/stats/agreement-internal.h"

#include <math.h>
#include <stdlib.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

DEFINE_CLEANUP(cleanup_slopes, struct pb_slopes *, pb_slopes_destroy)

static int compare_numbers(double a, double b)
{
	return (a > b) - (a < b);
}

static int compare_points(const void *a, const void *b)
{
	const struct pb_point *p = a, *q = b;
	int order = compare_numbers(p->z, q->z);

	return order ? order : compare_numbers(p->y, q->y);
}

static struct pb_point *sort_points(const double *z, const double *y, size_t k)
{
	cleanup_free struct pb_point *points = xcalloc(k, sizeof(*points));

	for (size_t i = 0; i < k; i++)
		points[i] = (struct pb_point){ z[i], y[i] };
	qsort(points, k, sizeof(*points), compare_points);
	return_ptr(points);
}

/* Of an even number of slopes the geometric mean of the middle two: that of the inverse slopes is its
 * inverse. */
static double middle_slope(struct pb_slopes *s)
{
	uint64_t n = pb_slopes_count(s), k = pb_slopes_count_below(s), half = (n + 1) / 2;

	/* With so many slopes below -1 that the shift leads past the last one there is no middle. */
	if (n == 0 || n / 2 + 1 + k > n)
		return NAN;

	double a = pb_slopes_select(s, half + k);
	double b = n % 2 ? a : pb_slopes_select(s, half + k + 1);

	return a > 0 ? sqrt(a) * sqrt(b) : (a + b) / 2;
}

/* Ranks of the interval's ends from Kendall's variance; infinite where there are not so many slopes. */
static struct interval slope_interval(struct pb_slopes *s, size_t points)
{
	double n = (double)points, count = (double)pb_slopes_count(s);
	double c = dist_normal_quantile(0.975) * sqrt(n * (n - 1) * (2 * n + 5) / 18);
	double lo = round((count - c) / 2), hi = count - lo + 1;
	double shift = (double)pb_slopes_count_below(s);

	return (struct interval){
		lo >= 1 ? pb_slopes_select(s, (uint64_t)(lo + shift)) : -(double)INFINITY,
		hi + shift <= count ? pb_slopes_select(s, (uint64_t)(hi + shift)) : (double)INFINITY,
	};
}

static double intercept_of(const struct pb_point *points, size_t k, double slope, double *scratch)
{
	for (size_t i = 0; i < k; i++)
		scratch[i] = points[i].y - slope * points[i].z;
	return agreement_median(scratch, k);
}

static void set_intercept(struct agreement_line *line, const struct pb_point *points, size_t k)
{
	cleanup_free double *scratch = xcalloc(k, sizeof(*scratch));

	line->intercept = intercept_of(points, k, line->slope, scratch);
	line->intercept_ci = (struct interval){ -INFINITY, INFINITY };
	if (isfinite(line->slope_ci.hi))
		line->intercept_ci.lo = intercept_of(points, k, line->slope_ci.hi, scratch);
	if (isfinite(line->slope_ci.lo))
		line->intercept_ci.hi = intercept_of(points, k, line->slope_ci.lo, scratch);
}

/* The share of the Kolmogorov distribution above h. */
static double kolmogorov_upper(double h)
{
	double sum = 0;

	/* Below it is 1 to all digits, and the series slow. */
	if (h < 0.2)
		return 1;
	for (int j = 1; j <= 30; j++)
		sum += (j % 2 ? 2 : -2) * exp(-2 * h * h * j * j);
	return fmin(1, fmax(0, sum));
}

struct along {
	double distance; /* along the line */
	double side;     /* above: > 0 */
	size_t rank;     /* decides between equal distances */
};

static int compare_along(const void *a, const void *b)
{
	const struct along *p = a, *q = b;
	int order = compare_numbers(p->distance, q->distance);

	return order ? order : (p->rank > q->rank) - (p->rank < q->rank);
}

/* Points above the line count up, those below down, so that all sum to 0; runs of one side lead far away from
 * it. */
static double farthest_sum(const struct along *a, size_t k, double above, double below)
{
	double sum = 0, farthest = 0;

	for (size_t i = 0; i < k; i++) {
		if (a[i].side > 0)
			sum += sqrt(below / above);
		else if (a[i].side < 0)
			sum -= sqrt(above / below);
		farthest = fmax(farthest, fabs(sum));
	}
	return farthest;
}

static double test_linearity(const struct agreement_line *line, const struct pb_point *points, size_t k)
{
	cleanup_free struct along *a = xcalloc(k, sizeof(*a));
	double above = 0, below = 0;

	for (size_t i = 0; i < k; i++) {
		double off = points[i].y - line->slope * points[i].z;

		a[i] = (struct along){ points[i].z + line->slope * points[i].y, off - line->intercept, i };
		above += a[i].side > 0;
		below += a[i].side < 0;
	}
	if (above == 0 || below == 0)
		return NAN;
	qsort(a, k, sizeof(*a), compare_along);
	return kolmogorov_upper(farthest_sum(a, k, above, below) / sqrt(below + 1));
}

void passing_bablok_fit(const double *z, const double *y, size_t k, size_t enumerate_max,
			struct passing_bablok *ret)
{
	*ret = (struct passing_bablok){ { NAN, NAN, INTERVAL_NONE, INTERVAL_NONE }, NAN, k <= enumerate_max };
	if (k < 2)
		return;

	cleanup_free struct pb_point *points = sort_points(z, y, k);
	cleanup(cleanup_slopes_) struct pb_slopes *slopes = pb_slopes_create(points, k, ret->is_enumerated);
	double slope = middle_slope(slopes);

	if (!isfinite(slope))
		return;
	ret->line.slope = slope;
	ret->line.slope_ci = slope_interval(slopes, k);
	set_intercept(&ret->line, points, k);
	ret->linearity_p = test_linearity(&ret->line, points, k);
}
