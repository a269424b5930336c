/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What it cannot show: correlations are those of a sample. Of few cells some metrics seem alike by chance,
 * and the confidence is a little low; so is it when cells are not normal, or replicates matter more than
 * cells.
 */
#include "calibrate/ranking.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>

#include "calibrate/agreement-internal.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

/* Gives the confidence, of 0.95, to 0.002. */
#define DRAWS_MAX 10000

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
 * The largest |t| of all: estimates are normal with the products of their units as correlations, since all of
 * them have the same multipliers; the common chi makes them a multivariate t.
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
			       gsl_rng *rng)
{
	double wanted = WORK_MAX / ((double)n * (double)cells);
	size_t draws = (size_t)fmin(DRAWS_MAX, fmax(DRAWS_MIN, wanted));
	cleanup_free double *largest = xcalloc(draws, sizeof(*largest));
	cleanup_free double *multipliers = xcalloc(cells, sizeof(*multipliers));

	for (size_t i = 0; i < draws; i++)
		largest[i] = draw_largest(units, n, cells, multipliers, df, rng);
	return gsl_stats_select(largest, 1, draws, (size_t)(share * (double)draws));
}

/*
 * What a cell moves an estimated limit by, the influence function of mean + q SD: x + q (x^2 - 1) / 2 of the
 * standardised difference x, where q is 1.96 or its opposite.
 */
static void influence(const double *unit, size_t cells, double q, double *ret)
{
	for (size_t c = 0; c < cells; c++) {
		double x = unit[c] * sqrt((double)cells);

		ret[c] = x + q * (x * x - 1) / 2;
	}
	standardise(ret, cells);
}

/* For the upper limits of all metrics, or the lower ones. */
static double limits_confidence(const double *units, size_t n, size_t cells, double q, double confidence,
				gsl_rng *rng)
{
	cleanup_free double *moved = xcalloc(n * cells, sizeof(*moved));
	double df = (double)cells - 1;

	for (size_t m = 0; m < n; m++)
		influence(units + m * cells, cells, q, moved + m * cells);
	return 1 - dist_t_upper(largest_quantile(moved, n, cells, df, 2 * confidence - 1, rng), df);
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

	gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);

	gsl_rng_set(rng, seed);

	double upper = limits_confidence(units, n, cells, LIMITS_SD, confidence, rng);
	double lower = limits_confidence(units, n, cells, -LIMITS_SD, confidence, rng);

	gsl_rng_free(rng);

	double bonferroni = 1 - (1 - confidence) / (double)n;

	/* What is beyond these is an error of sampling. */
	return fmin(bonferroni, fmax(confidence, fmax(upper, lower)));
}
