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
 * Turns the units, so that they have as many coordinates as there are of them, and keep their products: Gram
 * and Schmidt's way, with coordinates along the directions instead of those of cells.
 */
static void turn(const double *units, size_t n, size_t cells, double *turned)
{
	cleanup_free double *rest = xcalloc(n * cells, sizeof(*rest));

	for (size_t m = 0; m < n; m++) {
		double *own = rest + m * cells, length = 0;

		for (size_t c = 0; c < cells; c++)
			own[c] = units[m * cells + c];
		for (size_t j = 0; j < m; j++) {
			const double *direction = rest + j * cells;
			double along = 0;

			for (size_t c = 0; c < cells; c++)
				along += own[c] * direction[c];
			for (size_t c = 0; c < cells; c++)
				own[c] -= along * direction[c];
			turned[m * n + j] = along;
		}
		for (size_t c = 0; c < cells; c++)
			length += own[c] * own[c];
		length = sqrt(length);
		turned[m * n + m] = length;
		/* What depends on others has no direction of its own but rounding. */
		for (size_t c = 0; c < cells; c++)
			own[c] = length > 1e-10 ? own[c] / length : 0;
	}
}

/*
 * The largest |t| of all: estimates are normal with the products of their units as correlations, since all of
 * them have the same multipliers; the common chi makes them a multivariate t.
 */
static double draw_largest(const double *units, size_t n, size_t width, double *multipliers, double df,
			   gsl_rng *rng)
{
	double largest = 0;

	for (size_t c = 0; c < width; c++)
		multipliers[c] = gsl_ran_gaussian_ziggurat(rng, 1);
	for (size_t m = 0; m < n; m++) {
		double sum = 0;

		for (size_t c = 0; c < width; c++)
			sum += multipliers[c] * units[m * width + c];
		largest = fmax(largest, fabs(sum));
	}
	return largest / sqrt(gsl_ran_chisq(rng, df) / df);
}

/* The share of draws whose largest |t| lies below the quantile is that of all intervals holding together. */
static double largest_quantile(const double *units, size_t n, size_t width, double df, double share,
			       gsl_rng *rng)
{
	double wanted = WORK_MAX / ((double)n * (double)width);
	size_t draws = (size_t)fmin(DRAWS_MAX, fmax(DRAWS_MIN, wanted));
	cleanup_free double *largest = xcalloc(draws, sizeof(*largest));
	cleanup_free double *multipliers = xcalloc(width, sizeof(*multipliers));

	for (size_t i = 0; i < draws; i++)
		largest[i] = draw_largest(units, n, width, multipliers, df, rng);
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
	cleanup_free double *turned = xcalloc(n * n, sizeof(*turned));
	bool is_turned = cells > n;
	double df = (double)cells - 1, share = 2 * confidence - 1;

	for (size_t m = 0; m < n; m++)
		influence(units + m * cells, cells, q, moved + m * cells);
	if (is_turned)
		turn(moved, n, cells, turned);
	return 1 - dist_t_upper(largest_quantile(is_turned ? turned : moved, n, is_turned ? n : cells, df,
						 share, rng),
				df);
}

double ranking_confidence(const double *diffs, size_t metrics, size_t cells, double confidence, gsl_rng *rng)
{
	cleanup_free double *units = xcalloc(metrics * cells + 1, sizeof(*units));
	double q = dist_normal_quantile(0.975);
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

	double upper = limits_confidence(units, n, cells, q, confidence, rng);
	double lower = limits_confidence(units, n, cells, -q, confidence, rng);
	double bonferroni = 1 - (1 - confidence) / (double)n;

	/* What is beyond these is an error of sampling. */
	return fmin(bonferroni, fmax(confidence, fmax(upper, lower)));
}
