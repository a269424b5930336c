/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Lines through points with errors in both coordinates: Deming's, plain and weighted, with intervals by the
 * jackknife (Linnet 1993, Clin. Chem. 39:424); the slope of differences over means; and Passing and Bablok's.
 */
#include "calibrate/stats/agreement-line.h"

#include <assert.h>
#include <float.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

double mean_of(const double *x, size_t n)
{
	double sum = 0;

	/* Differences from the first value are summed, since a large common part would cost digits. */
	for (size_t i = 1; i < n; i++)
		sum += x[i] - x[0];
	return x[0] + sum / (double)n;
}

void line_moments_add(struct line_moments *m, double z, double y)
{
	double dz = z - m->mean_z, dy = y - m->mean_y;

	m->n++;
	m->mean_z += dz / m->n;
	m->mean_y += dy / m->n;
	m->zz += dz * (z - m->mean_z);
	m->yy += dy * (y - m->mean_y);
	m->zy += dz * (y - m->mean_y);
}

/* Chan, Golub & LeVeque 1983: pairwise, without subtracting large sums from each other. */
struct line_moments line_moments_merge(const struct line_moments *a, const struct line_moments *b)
{
	double n = a->n + b->n, dz = b->mean_z - a->mean_z, dy = b->mean_y - a->mean_y;
	double share = n > 0 ? b->n / n : 0;

	return (struct line_moments){
		.n = n,
		.mean_z = a->mean_z + dz * share,
		.mean_y = a->mean_y + dy * share,
		.zz = a->zz + b->zz + dz * dz * a->n * share,
		.yy = a->yy + b->yy + dy * dy * a->n * share,
		.zy = a->zy + b->zy + dz * dy * a->n * share,
	};
}

struct line_moments line_moments_of(const double *z, const double *y, const double *weights, size_t n)
{
	struct line_moments m = { 0 };
	double sum_z = 0, sum_y = 0;

	if (n == 0)
		return m;
	for (size_t i = 0; i < n; i++) {
		double weight = weights ? weights[i] : 1;

		m.n += weight;
		sum_z += weight * (z[i] - z[0]);
		sum_y += weight * (y[i] - y[0]);
	}
	m.mean_z = z[0] + sum_z / m.n;
	m.mean_y = y[0] + sum_y / m.n;
	for (size_t i = 0; i < n; i++) {
		double weight = weights ? weights[i] : 1, dz = z[i] - m.mean_z, dy = y[i] - m.mean_y;

		m.zz += weight * dz * dz;
		m.yy += weight * dy * dy;
		m.zy += weight * dz * dy;
	}
	return m;
}

/*
 * The weighted line is fitted anew without each group in turn. This many groups give its standard error to
 * 5 %; more would not be worth the time.
 */
#define GROUPS_MAX 200

/* A loop that has not ended by then swings between two lines, and neither fits its own weights. */
#define ITERATIONS_MAX 100
#define TOLERANCE      1e-11

struct fit {
	double slope, intercept;
};

static const struct fit fit_none = { NAN, NAN };

static const struct agreement_line line_none = { NAN, NAN, INTERVAL_NONE, INTERVAL_NONE };

static struct fit fit_moments(const struct line_moments *m, double ratio)
{
	double d = 1 / ratio, a = m->yy - d * m->zz, root = hypot(a, 2 * sqrt(d) * m->zy), slope;

	if (!(m->zz > 0))
		return fit_none;
	/* The root has two forms. This is the one that does not subtract. */
	if (a < 0)
		slope = 2 * d * m->zy / (root - a);
	else
		slope = (a + root) / (2 * m->zy);
	if (!isfinite(slope))
		return fit_none;
	return (struct fit){ slope, m->mean_y - slope * m->mean_z };
}

/*
 * The delete-a-group jackknife: without[g] is the fit without group g. With as many groups as points this is
 * Linnet's; n - 2 degrees of freedom as two numbers were fitted.
 */
static void set_line(struct agreement_line *line, struct fit fit, const struct fit *without, size_t groups)
{
	struct line_moments m = { 0 };
	double t = dist_t_quantile(0.975, (double)groups - 2), n = (double)groups;

	for (size_t g = 0; g < groups; g++)
		line_moments_add(&m, without[g].slope, without[g].intercept);

	double slope = t * sqrt((n - 1) / n * m.zz), intercept = t * sqrt((n - 1) / n * m.yy);

	*line = (struct agreement_line){
		.slope = fit.slope,
		.intercept = fit.intercept,
		.slope_ci = { fit.slope - slope, fit.slope + slope },
		.intercept_ci = { fit.intercept - intercept, fit.intercept + intercept },
	};
}

void deming_fit(const double *z, const double *y, size_t k, double ratio, struct agreement_line *ret)
{
	cleanup_free struct line_moments *before = xcalloc(k + 1, sizeof(*before));
	cleanup_free struct fit *without = xcalloc(k + 1, sizeof(*without));
	struct line_moments after = { 0 };

	/* The moments without a point are those before it and those after it. */
	for (size_t i = 0; i < k; i++) {
		before[i + 1] = before[i];
		line_moments_add(&before[i + 1], z[i], y[i]);
	}
	for (size_t i = k; i-- > 0;) {
		struct line_moments m = line_moments_merge(&before[i], &after);

		without[i] = fit_moments(&m, ratio);
		line_moments_add(&after, z[i], y[i]);
	}
	after = line_moments_of(z, y, NULL, k);
	set_line(ret, fit_moments(&after, ratio), without, k);
}

/* Points and what the weighted fit needs. */
struct weighted {
	const double *z, *y;
	double *weights;
	size_t k, groups;
	double ratio;
};

/*
 * The weight of a point is 1 / square of its true value, as far as the line tells: a mean of the two
 * coordinates of the point's foot on the line, as in Linnet 1993.
 */
static double weigh(const struct weighted *w, struct fit line, double z, double y)
{
	double off = y - line.intercept - line.slope * z;
	double scale = 1 + w->ratio * line.slope * line.slope;
	double true_z = z + w->ratio * line.slope * off / scale, true_y = y - off / scale;
	double value = (true_z + w->ratio * true_y) / (1 + w->ratio);

	/* The foot of an outlier may be near or below zero. It must not outweigh all else. */
	value = fmax(value, 0.1 * (z + w->ratio * y) / (1 + w->ratio));
	return 1 / (value * value);
}

/* The next line, without the points of a group (none: groups). */
static struct fit improve(const struct weighted *w, struct fit line, size_t group)
{
	for (size_t i = 0, g = 0; i < w->k; i++, g = g + 1 == w->groups ? 0 : g + 1)
		w->weights[i] = g == group ? 0 : weigh(w, line, w->z[i], w->y[i]);

	struct line_moments m = line_moments_of(w->z, w->y, w->weights, w->k);

	return fit_moments(&m, w->ratio);
}

/* Clears *settled when there is no end to it. */
static struct fit iterate(const struct weighted *w, struct fit line, size_t group, bool *settled)
{
	for (unsigned i = 0; i < ITERATIONS_MAX; i++) {
		struct fit next = improve(w, line, group);

		if (isnan(next.slope) || fabs(next.slope - line.slope) <= TOLERANCE * fabs(next.slope))
			return next;
		line = next;
	}
	*settled = false;
	return fit_none;
}

static bool are_positive(const double *z, const double *y, size_t k)
{
	for (size_t i = 0; i < k; i++)
		if (!(z[i] > 0 && y[i] > 0))
			return false;
	return true;
}

bool deming_fit_weighted(const double *z, const double *y, size_t k, double ratio, struct agreement_line *ret)
{
	size_t groups = k < GROUPS_MAX ? k : GROUPS_MAX;
	cleanup_free double *weights = xcalloc(k + 1, sizeof(*weights));
	cleanup_free struct fit *without = xcalloc(groups + 1, sizeof(*without));
	struct weighted w = { z, y, weights, k, groups, ratio };
	struct line_moments m = line_moments_of(z, y, NULL, k);
	struct fit line = fit_moments(&m, ratio);
	bool settled = true;

	*ret = line_none;
	if (isnan(line.slope) || !are_positive(z, y, k))
		return true;
	line = iterate(&w, line, groups, &settled);
	for (size_t g = 0; g < groups; g++)
		without[g] = isnan(line.slope) ? fit_none : iterate(&w, line, g, &settled);
	set_line(ret, line, without, groups);
	return settled;
}

void proportional_fit(const double *z, const double *y, size_t k, double *slope, struct interval *ci)
{
	cleanup_free double *mean = xcalloc(k + 1, sizeof(*mean));
	cleanup_free double *diff = xcalloc(k + 1, sizeof(*diff));
	double squares = 0;

	for (size_t i = 0; i < k; i++) {
		mean[i] = (y[i] + z[i]) / 2;
		diff[i] = y[i] - z[i];
	}

	struct line_moments m = line_moments_of(mean, diff, NULL, k), own = line_moments_of(z, y, NULL, k);

	*slope = NAN;
	*ci = INTERVAL_NONE;
	/* Where one of the two is constant, the slope is 2 or -2 whatever the other does. */
	if (!(own.zz > 0 && own.yy > 0))
		return;
	*slope = m.zz > 0 ? m.zy / m.zz : (double)NAN;
	for (size_t i = 0; i < k; i++) {
		double off = diff[i] - m.mean_y - *slope * (mean[i] - m.mean_z);

		squares += off * off;
	}

	double df = (double)k - 2, half = dist_t_quantile(0.975, df) * sqrt(squares / df / m.zz);

	*ci = (struct interval){ *slope - half, *slope + half };
}

/*
 * --- Passing & Bablok 1983, J. Clin. Chem. Clin. Biochem. 21:709: a line through points with errors in both
 * coordinates that some wild points do not move. Its slope is the median of the slopes of all pairs of
 * points, shifted by the number K of those below -1, so that z and y may change places.
 *
 * It needs a slope near 1 and errors in proportion to it. Points with the same z make its intervals too wide,
 * as the variance that they use is Kendall's without ties.
 */

/*
 * Values that differ by less than this share of them are the same: differences of decimals such as 0.3 - 0.2
 * and 0.2 - 0.1 are rounded differently. As in R's mcr (Manuilova, Schuetzenmeister & Model).
 */
#define SAME 1e-12

/* Is b, which is not below a, the same? */
static bool is_same(double a, double b, double size)
{
	return b - a <= SAME * size;
}

/* Two points have a slope of -1 when their sums are the same. */
struct point {
	double z, y, sum;
};

/*
 * Ranks among the slopes of all pairs of points. k points have k (k - 1) / 2 of them: those of few points are
 * all computed, those of many are only counted.
 *
 * Counting: of two points the right one lies below the line of slope s through the left one when the slope of
 * the pair is less than s. Seen along such lines, by e = y - s z, this is an inversion: the order by e
 * contradicts the order by z. Merge sort counts inversions in O(k log k). The slope of a rank is then found
 * by bisection, down to neighbouring numbers.
 */

/*
 * y - s z as the unevaluated sum of two numbers. Rounded to one, slopes of near points would be taken for
 * others: with ties on a grid this is not rare.
 */
struct exact {
	double hi, lo;
};

/* What a count found, for the next search. */
struct counted {
	int64_t key;
	uint64_t count; /* slopes up to it */
};

/* 64 halvings find a double; four ranks are asked for. */
#define COUNTED_MAX 256

/*
 * The slopes of all pairs of points but those of -1 and those of identical points. The points are by z, then
 * y; their values are small enough for slopes times them to be numbers.
 */
struct slopes {
	uint64_t count, count_below; /* of all, and of those below -1 */
	double *all;                 /* NULL: they are counted */

	const struct point *points;
	size_t k;
	struct exact *e, *scratch;
	uint64_t count_identical; /* pairs of points, which have no slope */
	uint64_t count_excluded;  /* of slope -1 */
	uint64_t count_finite;    /* not upright */
	struct counted counted[COUNTED_MAX];
	size_t counted_n;
};

static struct exact residual(struct point p, double slope)
{
	double product = slope * p.z, product_lo = fma(slope, p.z, -product);
	double hi = p.y - product, y = hi + product;
	/* What was lost in hi (Knuth's two-sum), and in the product. */
	double lo = ((p.y - y) - (product - (y - hi))) - product_lo;
	double sum = hi + lo;

	return (struct exact){ sum, lo - (sum - hi) };
}

static bool is_less(struct exact a, struct exact b)
{
	return a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo);
}

/* Sorts e[0..n) and returns its inversions; two that are equal are one when has_equal. */
static uint64_t sort_inversions(struct exact *e, struct exact *scratch, size_t n, bool has_equal)
{
	size_t half = n / 2, left = 0, right = half;

	if (n < 2)
		return 0;

	uint64_t count = sort_inversions(e, scratch, half, has_equal) +
			 sort_inversions(e + half, scratch, n - half, has_equal);

	memcpy(scratch, e, half * sizeof(*e));
	for (size_t out = 0; left < half && right < n; out++) {
		bool is_right =
			has_equal ? !is_less(scratch[left], e[right]) : is_less(e[right], scratch[left]);

		if (is_right)
			count += half - left;
		e[out] = is_right ? e[right++] : scratch[left++];
	}
	memcpy(e + n - (n - right) - (half - left), scratch + left, (half - left) * sizeof(*e));
	return count;
}

/* The number of pairs of points with the same z, or of those that are identical. */
static uint64_t count_same(const struct point *p, size_t k, bool is_identical)
{
	uint64_t count = 0, run = 0;

	for (size_t i = 1; i < k; i++) {
		run = p[i].z == p[i - 1].z && (!is_identical || p[i].sum == p[i - 1].sum) ? run + 1 : 0;
		count += run;
	}
	return count;
}

/* How many slopes are not above this one, which is above -1. */
static uint64_t count_slopes(struct slopes *s, double slope)
{
	for (size_t i = 0; i < s->k; i++)
		s->e[i] = residual(s->points[i], slope);

	uint64_t count = sort_inversions(s->e, s->scratch, s->k, true);
	/* Identical points have the same residual. What counts as -1 may be more by a rounding error. */
	uint64_t none = s->count_identical + s->count_excluded;

	return count > none ? count - none : 0;
}

/* Pairs of points whose right one has the smaller sum, or the same when has_equal. */
static uint64_t count_sums(struct slopes *s, bool has_equal)
{
	for (size_t i = 0; i < s->k; i++)
		s->e[i] = (struct exact){ .hi = s->points[i].sum };
	return sort_inversions(s->e, s->scratch, s->k, has_equal);
}

/* The keys of numbers have the same order as the numbers. */
static int64_t key_of(double x)
{
	int64_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits < 0 ? INT64_MIN - bits : bits;
}

static double of_key(int64_t key)
{
	int64_t bits = key < 0 ? INT64_MIN - key : key;
	double x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

/* Only the slopes of upright pairs are above this. */
static double highest_slope(const struct point *p, size_t k)
{
	double lowest = INFINITY, highest = -INFINITY, narrowest = INFINITY;

	for (size_t i = 0; i < k; i++) {
		lowest = fmin(lowest, p[i].y);
		highest = fmax(highest, p[i].y);
		if (i > 0 && p[i].z > p[i - 1].z)
			narrowest = fmin(narrowest, p[i].z - p[i - 1].z);
	}
	return fmin(DBL_MAX, 2 * ((highest - lowest) / narrowest));
}

static void add_counted(struct slopes *s, int64_t key, uint64_t count)
{
	if (s->counted_n < COUNTED_MAX)
		s->counted[s->counted_n++] = (struct counted){ key, count };
}

static void start_counting(struct slopes *s, uint64_t pairs)
{
	uint64_t upright = count_same(s->points, s->k, false);

	s->e = xcalloc(s->k, sizeof(*s->e));
	s->scratch = xcalloc(s->k, sizeof(*s->scratch));
	s->count_identical = count_same(s->points, s->k, true);
	s->count_below = count_sums(s, false);
	s->count_excluded = count_sums(s, true) - s->count_below - s->count_identical;
	s->count = pairs - s->count_identical - s->count_excluded;
	s->count_finite = pairs - upright - s->count_excluded;
	add_counted(s, key_of(-1), s->count_below);
	add_counted(s, key_of(highest_slope(s->points, s->k)), s->count_finite);
}

static void enumerate(struct slopes *s, uint64_t pairs)
{
	s->all = xcalloc(pairs, sizeof(*s->all));
	for (size_t i = 0; i < s->k; i++) {
		for (size_t j = i + 1; j < s->k; j++) {
			const struct point *p = &s->points[i], *q = &s->points[j];

			/* Of slope -1, or identical. */
			if (q->sum == p->sum)
				continue;
			s->all[s->count++] = q->z > p->z ? (q->y - p->y) / (q->z - p->z) : INFINITY;
			s->count_below += q->sum < p->sum;
		}
	}
}

static void slopes_init(struct slopes *s, const struct point *points, size_t k, bool is_enumerated)
{
	uint64_t pairs = (uint64_t)k * (k - 1) / 2;

	*s = (struct slopes){ .points = points, .k = k };
	if (is_enumerated)
		enumerate(s, pairs);
	else
		start_counting(s, pairs);
}

static void slopes_deinit(struct slopes *s)
{
	free(s->all);
	free(s->e);
	free(s->scratch);
}

/* What was counted at the start has a slope below the rank and one that is not. */
static double bisect(struct slopes *s, uint64_t rank)
{
	int64_t below = INT64_MIN, found = INT64_MAX;

	for (size_t i = 0; i < s->counted_n; i++) {
		const struct counted *c = &s->counted[i];

		if (c->count < rank && c->key > below)
			below = c->key;
		if (c->count >= rank && c->key < found)
			found = c->key;
	}
	/* From -1 to the largest is farther than signed numbers reach. */
	while ((uint64_t)found - (uint64_t)below > 1) {
		int64_t key = below + (int64_t)(((uint64_t)found - (uint64_t)below) / 2);
		uint64_t count = count_slopes(s, of_key(key));

		if (count >= rank)
			found = key;
		else
			below = key;
		add_counted(s, key, count);
	}
	return of_key(found);
}

/* The slope of this rank, from 1, among all; above those below -1. */
static double slopes_select(struct slopes *s, uint64_t rank)
{
	assert(rank > s->count_below && rank <= s->count);
	if (s->all)
		return gsl_stats_select(s->all, 1, s->count, rank - 1);
	return rank > s->count_finite ? (double)INFINITY : bisect(s, rank);
}

static int compare_numbers(double a, double b)
{
	return (a > b) - (a < b);
}

static int compare_points(const void *a, const void *b)
{
	const struct point *p = a, *q = b;
	int order = compare_numbers(p->z, q->z);

	return order ? order : compare_numbers(p->y, q->y);
}

static int compare_sums(const void *a, const void *b)
{
	const struct point *p = a, *q = b;

	return compare_numbers(p->sum, q->sum);
}

/* By z, then y. Values that are the same become equal. */
static struct point *sort_points(const double *z, const double *y, size_t k)
{
	cleanup_free struct point *points = xcalloc(k, sizeof(*points));

	for (size_t i = 0; i < k; i++)
		points[i] = (struct point){ z[i], y[i], z[i] + y[i] };
	qsort(points, k, sizeof(*points), compare_sums);
	for (size_t i = 1; i < k; i++)
		if (is_same(points[i - 1].sum, points[i].sum, fabs(points[i].z) + fabs(points[i].y)))
			points[i].sum = points[i - 1].sum;
	qsort(points, k, sizeof(*points), compare_points);
	for (size_t i = 1; i < k; i++)
		if (is_same(points[i - 1].z, points[i].z, fabs(points[i].z)))
			points[i].z = points[i - 1].z;
	qsort(points, k, sizeof(*points), compare_points);
	for (size_t i = 1; i < k; i++)
		if (points[i].z == points[i - 1].z && points[i].sum == points[i - 1].sum)
			points[i].y = points[i - 1].y;
	return_ptr(points);
}

/*
 * For an even number of slopes this is the geometric mean of the middle two, so that inverse slopes give its
 * inverse.
 */
static double middle_slope(struct slopes *s)
{
	uint64_t n = s->count, k = s->count_below, half = (n + 1) / 2;

	/* When so many slopes are below -1 that the shift leads past the last one, there is no middle. */
	if (n == 0 || n / 2 + 1 + k > n)
		return NAN;

	double a = slopes_select(s, half + k);
	double b = n % 2 ? a : slopes_select(s, half + k + 1);

	return a > 0 ? sqrt(a) * sqrt(b) : (a + b) / 2;
}

/* Ranks of the interval's ends from Kendall's variance; infinite where there are not so many slopes. */
static struct interval slope_interval(struct slopes *s, size_t points)
{
	double n = (double)points, count = (double)s->count;
	double c = dist_normal_quantile(0.975) * sqrt(n * (n - 1) * (2 * n + 5) / 18);
	double lo = round((count - c) / 2), hi = count - lo + 1;
	double shift = (double)s->count_below;

	return (struct interval){
		lo >= 1 ? slopes_select(s, (uint64_t)(lo + shift)) : -(double)INFINITY,
		hi + shift <= count ? slopes_select(s, (uint64_t)(hi + shift)) : (double)INFINITY,
	};
}

static double intercept_of(const struct point *points, size_t k, double slope, double *scratch)
{
	for (size_t i = 0; i < k; i++)
		scratch[i] = points[i].y - slope * points[i].z;
	return gsl_stats_median(scratch, 1, k);
}

static void set_intercept(struct agreement_line *line, const struct point *points, size_t k)
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

	/* Below this the share is 1 to all digits, and the series is slow. */
	if (h < 0.2)
		return 1;
	for (int j = 1; j <= 30; j++)
		sum += (j % 2 ? 2 : -2) * exp(-2 * h * h * j * j);
	return fmin(1, fmax(0, sum));
}

struct along {
	double distance; /* along the line */
	double size;     /* of what it is made of */
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

static double test_linearity(const struct agreement_line *line, const struct point *points, size_t k)
{
	cleanup_free struct along *a = xcalloc(k, sizeof(*a));
	double above = 0, below = 0;

	for (size_t i = 0; i < k; i++) {
		double z = points[i].z, y = points[i].y, off = y - line->slope * z - line->intercept;
		double size = fabs(y) + fabs(line->slope * z) + fabs(line->intercept);

		a[i] = (struct along){
			.distance = z + line->slope * y,
			.size = fabs(z) + fabs(line->slope * y),
			.side = is_same(0, fabs(off), size) ? 0 : off,
			.rank = i,
		};
		above += a[i].side > 0;
		below += a[i].side < 0;
	}
	if (above == 0 || below == 0)
		return NAN;
	qsort(a, k, sizeof(*a), compare_along);
	for (size_t i = 1; i < k; i++)
		if (is_same(a[i - 1].distance, a[i].distance, a[i].size))
			a[i].distance = a[i - 1].distance;
	qsort(a, k, sizeof(*a), compare_along);
	return kolmogorov_upper(farthest_sum(a, k, above, below) / sqrt(below + 1));
}

void passing_bablok_fit(const double *z, const double *y, size_t k, size_t enumerate_max,
			struct passing_bablok *ret)
{
	*ret = (struct passing_bablok){ { NAN, NAN, INTERVAL_NONE, INTERVAL_NONE }, NAN, k <= enumerate_max };
	if (k < 2)
		return;

	cleanup_free struct point *points = sort_points(z, y, k);
	cleanup(slopes_deinit) struct slopes slopes;

	slopes_init(&slopes, points, k, ret->is_enumerated);

	double slope = middle_slope(&slopes);

	if (!isfinite(slope))
		return;
	ret->line.slope = slope;
	ret->line.slope_ci = slope_interval(&slopes, k);
	set_intercept(&ret->line, points, k);
	ret->linearity_p = test_linearity(&ret->line, points, k);
}
