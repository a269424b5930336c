/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What it cannot show: correlations are those of a sample. With few cells some metrics seem alike by
 * chance, and the confidence is a little low; the same is true when cells are not normal, or replicates
 * matter more than cells.
 */
#include "calibrate/stats/ranking.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>

#include "calibrate/stats/agreement-limits.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

/* So many draws give a confidence of 0.95 to 0.002. */
#define DRAWS_MAX 10000

/* Very many metrics get fewer draws, so that time is bounded: the draws take this many products. */
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
 * How far a cell moves an estimated limit: the influence function of mean + q SD: x + q (x^2 - 1) / 2 of
 * the standardised difference x, where q is 1.96 or its opposite.
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

double ranking_confidence(const struct ranking_cell *data, size_t metrics, size_t cells, double confidence,
			  uint64_t seed)
{
	cleanup_free double *units = xcalloc(metrics * cells + 1, sizeof(*units));
	size_t n = 0;

	for (size_t m = 0; m < metrics; m++) {
		for (size_t c = 0; c < cells; c++)
			units[n * cells + c] = data[m * cells + c].mean;
		if (cells < 2 || is_constant(units + n * cells, cells))
			continue;
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

	/* A result outside of these is an error of sampling. */
	return fmin(bonferroni, fmax(confidence, fmax(upper, lower)));
}

/* So many sets give a share of 90 % to 2 %. */
#define RESAMPLES 1000

/*
 * What ranks a metric: the distance from 0 of that limit of agreement over the chosen cells that is further
 * away.
 */
static double error_of(const struct ranking_cell *metric, const size_t *chosen, size_t cells)
{
	double mean = 0, squares = 0, within = 0, df_within = 0, inverse_sizes = 0;

	for (size_t i = 0; i < cells; i++) {
		const struct ranking_cell *c = &metric[chosen[i]];

		mean += c->mean / (double)cells;
		within += c->squares;
		df_within += (double)c->n - 1;
		inverse_sizes += 1 / (double)c->n;
	}
	for (size_t i = 0; i < cells; i++)
		squares += pow(metric[chosen[i]].mean - mean, 2);

	double variance = squares / ((double)cells - 1);

	if (df_within > 0)
		variance += (1 - inverse_sizes / (double)cells) * within / df_within;
	return fabs(mean) + LIMITS_SD * sqrt(variance);
}

double ranking_first(const struct ranking_cell *data, size_t metrics, size_t cells, size_t metric,
		     uint64_t seed)
{
	cleanup_free size_t *chosen = xcalloc(cells, sizeof(*chosen));
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
	unsigned first = 0;

	gsl_rng_set(rng, seed);
	for (unsigned r = 0; r < RESAMPLES && cells > 1; r++) {
		size_t better = 0;

		for (size_t i = 0; i < cells; i++)
			chosen[i] = gsl_rng_uniform_int(rng, cells);

		double own = error_of(data + metric * cells, chosen, cells);

		for (size_t m = 0; m < metrics; m++)
			better += error_of(data + m * cells, chosen, cells) < own;
		first += better == 0;
	}
	gsl_rng_free(rng);
	return cells > 1 ? (double)first / RESAMPLES : (double)NAN;
}
