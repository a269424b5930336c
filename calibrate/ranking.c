/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What it cannot show: the distribution is that of means. How well standard deviations are known, which the
 * bounds of limits need too, is less alike between metrics than their means are; the confidence found here is
 * a little low for these.
 */
#include "calibrate/ranking.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>

#include "calibrate/distribution.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

/* Gives the confidence, of 0.95, to 0.001. */
#define DRAWS_MAX 20000

/* Of very many metrics fewer draws, so that time is bounded: this many products. */
#define DRAWS_MIN 1000
#define WORK_MAX  1e8

static bool is_constant(const double *x, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (x[i] != x[0])
			return false;
	return true;
}

/* Centres x and gives it length 1. */
static void standardise(double *x, size_t n)
{
	double mean = gsl_stats_mean(x, 1, n), largest = 0, squares = 0;

	for (size_t i = 0; i < n; i++)
		largest = fmax(largest, fabs(x[i] -= mean));
	/* Squares of very small or large ones would be 0 or infinite. */
	for (size_t i = 0; i < n && largest > 0; i++) {
		x[i] /= largest;
		squares += x[i] * x[i];
	}
	for (size_t i = 0; i < n && squares > 0; i++)
		x[i] /= sqrt(squares);
}

/*
 * The largest |t| of all metrics: their means are normal with the products of units as correlations, since
 * all of them have the same multipliers; the common chi makes them a multivariate t.
 */
static double draw_largest(const double *units, size_t n, size_t cells, double *multipliers, double df,
			   gsl_rng *rng)
{
	double largest = 0;

	for (size_t c = 0; c < cells; c++)
		multipliers[c] = gsl_ran_gaussian_ziggurat(rng, 1);
	for (size_t m = 0; m < n; m++) {
		double sum = 0;

		for (size_t c = 0; c < cells; c++)
			sum += multipliers[c] * units[m * cells + c];
		largest = fmax(largest, fabs(sum));
	}
	return largest / sqrt(gsl_ran_chisq(rng, df) / df);
}

/* The share of draws whose largest |t| lies below the quantile is that of all intervals holding together. */
static double largest_quantile(const double *units, size_t n, size_t cells, double df, double share,
			       uint64_t seed)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
	double wanted = WORK_MAX / ((double)n * (double)cells);
	size_t draws = (size_t)fmin(DRAWS_MAX, fmax(DRAWS_MIN, wanted));
	cleanup_free double *largest = xcalloc(draws, sizeof(*largest));
	cleanup_free double *multipliers = xcalloc(cells, sizeof(*multipliers));

	gsl_rng_set(rng, seed);
	for (size_t i = 0; i < draws; i++)
		largest[i] = draw_largest(units, n, cells, multipliers, df, rng);
	gsl_rng_free(rng);
	gsl_sort(largest, 1, draws);
	return gsl_stats_quantile_from_sorted_data(largest, 1, draws, share);
}

double ranking_confidence(const double *diffs, size_t metrics, size_t cells, double confidence, uint64_t seed)
{
	cleanup_free double *units = xcalloc(metrics * cells + 1, sizeof(*units));
	size_t n = 0;

	for (size_t m = 0; m < metrics; m++) {
		const double *row = diffs + m * cells;

		if (cells < 2 || is_constant(row, cells))
			continue;
		for (size_t c = 0; c < cells; c++)
			units[n * cells + c] = row[c];
		standardise(units + n++ * cells, cells);
	}
	if (n < 2)
		return confidence;

	double df = (double)cells - 1;
	double t = largest_quantile(units, n, cells, df, 2 * confidence - 1, seed);
	double joint = 1 - dist_t_upper(t, df), bonferroni = 1 - (1 - confidence) / (double)n;

	/* What is beyond these is an error of sampling. */
	return fmin(bonferroni, fmax(confidence, joint));
}
