/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ED50 without a curve's form: centred isotonic regression (Oron & Flournoy, Statistics in Biopharmaceutical
 * Research 9, 2017, 258-267). Shares of yes that fall from a dose to the next are pooled; a pool lies at the
 * mean of its doses, weighted with n, and straight lines join the pools. Equal shares are pooled too, so that
 * the curve rises strictly, but not shares of 0 and 1: there nothing says that the response rises.
 *
 * What it cannot show: anything between two doses but that the response does not fall there. The gap between
 * separated answers does not know how few they are. Elsewhere the interval is rather too wide, since
 * resampling smooths a jagged curve.
 */
#include <gsl/gsl_randist.h>
#include <gsl/gsl_statistics_double.h>
#include <gsl/gsl_sort_double.h>
#include <math.h>

#include "calibrate/stats/quantal-internal.h"
#include "calibrate/stats/quantal.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

/* The 2.5 % point is the 25th of them: its own chance error is then some 20 % of 2.5 %. */
#define RESAMPLES 1000

static bool is_violation(const struct quantal_point *low, const struct quantal_point *high)
{
	double left = low->yes * high->n, right = high->yes * low->n;

	/* Of equal shares, those of 0 and 1 stay. */
	return left > right || (left >= right && low->yes > 0 && low->yes < low->n);
}

static struct quantal_point merged(const struct quantal_point *a, const struct quantal_point *b)
{
	double n = a->n + b->n;

	return (struct quantal_point){ a->dose + (b->dose - a->dose) * (b->n / n), n, a->yes + b->yes };
}

/* Pools adjacent violators of n points in order; ret has room for n and may be the points themselves. */
static size_t pool(const struct quantal_point *points, size_t n, struct quantal_point *ret)
{
	size_t pools = 0;

	for (size_t i = 0; i < n; i++) {
		ret[pools++] = points[i];
		while (pools > 1 && is_violation(&ret[pools - 2], &ret[pools - 1])) {
			ret[pools - 2] = merged(&ret[pools - 2], &ret[pools - 1]);
			pools--;
		}
	}
	return pools;
}

static double share(const struct quantal_point *p)
{
	return p->yes / p->n;
}

/* Where the line through two pools has the height y. */
static double interpolate(const struct quantal_point *low, const struct quantal_point *high, double y)
{
	return low->dose + (high->dose - low->dose) * (y - share(low)) / (share(high) - share(low));
}

/* The dose of a half; -INFINITY when even the lowest share is above it, INFINITY when all are below. */
static double find_half(const struct quantal_point *pools, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (share(&pools[i]) < 0.5)
			continue;
		if (share(&pools[i]) <= 0.5)
			return pools[i].dose;
		return i > 0 ? interpolate(&pools[i - 1], &pools[i], 0.5) : -(double)INFINITY;
	}
	return (double)INFINITY;
}

/*
 * What is seen always may be only nearly always: k of k become (k + 1/2) of (k + 1), by all doses of that end
 * together, but a curve that rises goes on rising.
 */
static void shrink_ends(struct quantal_point *pools, size_t n)
{
	size_t first = 0, last = n;
	double n_zeros = 0, n_ones = 0;

	for (; first < n && pools[first].yes <= 0; first++)
		n_zeros += pools[first].n;
	for (; last > first && pools[last - 1].yes >= pools[last - 1].n; last--)
		n_ones += pools[last - 1].n;

	double zero = 0.5 / (n_zeros + 1), one = (n_ones + 0.5) / (n_ones + 1);

	if (first < last) {
		zero = fmin(zero, share(&pools[first]));
		one = fmax(one, share(&pools[last - 1]));
	}
	for (size_t i = 0; i < first; i++)
		pools[i].yes = zero * pools[i].n;
	for (size_t i = last; i < n; i++)
		pools[i].yes = one * pools[i].n;
}

/* The curve at a dose: straight between pools, level outside of them. */
static double curve_at(const struct quantal_point *pools, size_t n, double dose)
{
	size_t i = 0;

	while (i < n && pools[i].dose < dose)
		i++;
	if (i == 0)
		return share(&pools[0]);
	if (i == n)
		return share(&pools[n - 1]);

	const struct quantal_point *low = &pools[i - 1], *high = &pools[i];

	return share(low) + (share(high) - share(low)) * (dose - low->dose) / (high->dose - low->dose);
}

/* The part of n below 1 is a subject that counts less. */
static double draw_yes(const gsl_rng *rng, double n, double p)
{
	double whole = floor(n);
	double yes = whole > 0 ? gsl_ran_binomial(rng, p, (unsigned)whole) : 0;

	if (n > whole && gsl_rng_uniform(rng) < p)
		yes += n - whole;
	return yes;
}

static struct interval bootstrap(const struct quantal_data *d, struct quantal_point *pools, size_t n_pools,
				 const gsl_rng *rng)
{
	struct quantal_point *again cleanup_free = xcalloc(d->n, sizeof(*again));
	double *p cleanup_free = xcalloc(d->n, sizeof(*p));
	double halves[RESAMPLES];

	shrink_ends(pools, n_pools);
	for (size_t i = 0; i < d->n; i++)
		p[i] = curve_at(pools, n_pools, d->points[i].dose);
	for (size_t k = 0; k < RESAMPLES; k++) {
		for (size_t i = 0; i < d->n; i++) {
			again[i] = d->points[i];
			again[i].yes = draw_yes(rng, again[i].n, p[i]);
		}
		/* Without a half, it is beyond the doses: count it at their end. */
		halves[k] = fmin(fmax(find_half(again, pool(again, d->n, again)), d->points[0].dose),
				 d->points[d->n - 1].dose);
	}
	gsl_sort(halves, 1, RESAMPLES);
	return (struct interval){ gsl_stats_quantile_from_sorted_data(halves, 1, RESAMPLES, 0.025),
				  gsl_stats_quantile_from_sorted_data(halves, 1, RESAMPLES, 0.975) };
}

/*
 * An interval with no dose in it is narrower than anything that was asked: only the straight line makes it
 * so. It becomes the gap between the doses around it, as it is when answers are separated.
 */
static struct interval widened(const struct quantal_data *d, struct interval ci)
{
	size_t i = 0;

	while (i < d->n && d->points[i].dose < ci.lo)
		i++;
	if (i == 0 || i == d->n || d->points[i].dose <= ci.hi)
		return ci;
	return (struct interval){ d->points[i - 1].dose, d->points[i].dose };
}

void quantal_fit_isotonic(const struct quantal_point *points, size_t n, gsl_rng *rng,
			  struct quantal_isotonic *ret)
{
	struct quantal_data d cleanup_quantal_data;

	*ret = (struct quantal_isotonic){ (double)NAN, INTERVAL_NONE };
	quantal_data_init(&d, points, n);
	if (quantal_data_separation(&d) == QUANTAL_COMPLETE) {
		ret->ci = (struct interval){ d.no_hi, d.yes_lo };
		ret->ed50 = d.no_hi + (d.yes_lo - d.no_hi) / 2;
		return;
	}

	struct quantal_point *pools cleanup_free = xcalloc(d.n + 1, sizeof(*pools));
	size_t n_pools = pool(d.points, d.n, pools);
	double half = find_half(pools, n_pools);

	if (!isfinite(half))
		return;
	ret->ed50 = half;
	ret->ci = widened(&d, bootstrap(&d, pools, n_pools, rng));
}
