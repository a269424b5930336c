/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ranks among the slopes of all pairs of points. k points have k (k - 1) / 2 of them: those of few points are
 * all computed, those of many are only counted.
 *
 * Counting: of two points the right one lies below the line of slope s through the left one when the slope of
 * the pair is less than s. Seen along such lines, by e = y - s z, this is an inversion: the order by e
 * contradicts the order by z. Merge sort counts inversions in O(k log k). The slope of a rank is then found
 * by bisection, down to neighbouring numbers.
 */
#include "calibrate/stats/agreement-internal.h"

#include <assert.h>
#include <float.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

/*
 * y - s z as the unevaluated sum of two numbers. Rounded to one, slopes of near points would be taken for
 * others: with ties on a grid this is no rare event.
 */
struct exact {
	double hi, lo;
};

/* A slope that was counted, for the next search. */
struct counted {
	int64_t key;
	uint64_t count; /* slopes up to it */
};

/* 64 halvings find a double; four ranks are asked for. */
#define COUNTED_MAX 256

struct pb_slopes {
	uint64_t count, count_below;
	double *all; /* NULL: they are counted */

	const struct pb_point *points;
	size_t k;
	struct exact *e, *scratch;
	uint64_t count_identical; /* pairs of points that have no slope */
	uint64_t count_excluded;  /* of slope -1 */
	uint64_t count_finite;    /* not upright */
	struct counted counted[COUNTED_MAX];
	size_t counted_n;
};

static struct exact residual(struct pb_point p, double slope)
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

/* Pairs of points with the same z; only those that are identical. */
static uint64_t count_same(const struct pb_point *p, size_t k, bool is_identical)
{
	uint64_t count = 0, run = 0;

	for (size_t i = 1; i < k; i++) {
		run = p[i].z == p[i - 1].z && (!is_identical || p[i].y == p[i - 1].y) ? run + 1 : 0;
		count += run;
	}
	return count;
}

/* Slopes of pairs that are less than this one, or not above it when has_equal; with those of -1. */
static uint64_t count_slopes(struct pb_slopes *s, double slope, bool has_equal)
{
	for (size_t i = 0; i < s->k; i++)
		s->e[i] = residual(s->points[i], slope);
	/* Identical points have the same residual and no slope. */
	return sort_inversions(s->e, s->scratch, s->k, has_equal) - (has_equal ? s->count_identical : 0);
}

/* The order of these is that of the numbers. */
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

/* No slope but upright ones is above this. */
static double highest_slope(const struct pb_point *p, size_t k)
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

static void add_counted(struct pb_slopes *s, int64_t key, uint64_t count)
{
	if (s->counted_n < COUNTED_MAX)
		s->counted[s->counted_n++] = (struct counted){ key, count };
}

static void start_counting(struct pb_slopes *s, uint64_t pairs)
{
	uint64_t upright = count_same(s->points, s->k, false);

	s->e = xcalloc(s->k, sizeof(*s->e));
	s->scratch = xcalloc(s->k, sizeof(*s->scratch));
	s->count_identical = count_same(s->points, s->k, true);
	s->count_below = count_slopes(s, -1, false);
	s->count_excluded = count_slopes(s, -1, true) - s->count_below;
	s->count = pairs - s->count_identical - s->count_excluded;
	s->count_finite = pairs - upright - s->count_excluded;
	add_counted(s, key_of(-1), s->count_below);
	add_counted(s, key_of(highest_slope(s->points, s->k)), s->count_finite);
}

static void enumerate(struct pb_slopes *s, uint64_t pairs)
{
	s->all = xcalloc(pairs, sizeof(*s->all));
	for (size_t i = 0; i < s->k; i++) {
		for (size_t j = i + 1; j < s->k; j++) {
			double dz = s->points[j].z - s->points[i].z;
			double dy = s->points[j].y - s->points[i].y;
			double slope = dz > 0 ? dy / dz : INFINITY;

			if ((dz == 0 && dy == 0) || slope == -1)
				continue;
			s->all[s->count++] = slope;
			s->count_below += slope < -1;
		}
	}
}

struct pb_slopes *pb_slopes_create(const struct pb_point *points, size_t k, bool is_enumerated)
{
	struct pb_slopes *s = xcalloc(1, sizeof(*s));
	uint64_t pairs = (uint64_t)k * (k - 1) / 2;

	assert(k >= 2);
	s->points = points;
	s->k = k;
	if (is_enumerated)
		enumerate(s, pairs);
	else
		start_counting(s, pairs);
	return s;
}

void pb_slopes_destroy(struct pb_slopes *s)
{
	free(s->all);
	free(s->e);
	free(s->scratch);
	free(s);
}

uint64_t pb_slopes_count(const struct pb_slopes *s)
{
	return s->count;
}

uint64_t pb_slopes_count_below(const struct pb_slopes *s)
{
	return s->count_below;
}

/* What was counted at the start has a slope below the rank and one that is not. */
static double bisect(struct pb_slopes *s, uint64_t rank)
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
		uint64_t count = count_slopes(s, of_key(key), true) - s->count_excluded;

		if (count >= rank)
			found = key;
		else
			below = key;
		add_counted(s, key, count);
	}
	return of_key(found);
}

double pb_slopes_select(struct pb_slopes *s, uint64_t rank)
{
	assert(rank > s->count_below && rank <= s->count);
	if (s->all)
		return gsl_stats_select(s->all, 1, s->count, rank - 1);
	return rank > s->count_finite ? (double)INFINITY : bisect(s, rank);
}
