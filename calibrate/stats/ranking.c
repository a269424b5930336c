/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What it cannot show: correlations are those of a sample. With few clusters some metrics seem alike by
 * chance, and the confidence is a little low; the same is true when clusters are not normal, or replicates
 * matter more than clusters.
 */
#include "calibrate/stats/ranking.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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
static double draw_largest(const double *units, size_t n, size_t clusters, double *multipliers, double df,
			   gsl_rng *rng)
{
	double largest = 0;

	for (size_t c = 0; c < clusters; c++)
		multipliers[c] = gsl_ran_gaussian_ziggurat(rng, 1);
	for (size_t m = 0; m < n; m++) {
		double sum = 0;

		for (size_t c = 0; c < clusters; c++)
			sum += multipliers[c] * units[m * clusters + c];
		largest = fmax(largest, fabs(sum));
	}
	return largest / sqrt(gsl_ran_chisq(rng, df) / df);
}

/* The share of draws whose largest |t| lies below the quantile is that of all intervals holding together. */
static double largest_quantile(const double *units, size_t n, size_t clusters, double df, double share,
			       gsl_rng *rng)
{
	double wanted = WORK_MAX / ((double)n * (double)clusters);
	size_t draws = (size_t)fmin(DRAWS_MAX, fmax(DRAWS_MIN, wanted));
	cleanup_free double *largest = xcalloc(draws, sizeof(*largest));
	cleanup_free double *multipliers = xcalloc(clusters, sizeof(*multipliers));

	for (size_t i = 0; i < draws; i++)
		largest[i] = draw_largest(units, n, clusters, multipliers, df, rng);
	return gsl_stats_select(largest, 1, draws, (size_t)(share * (double)draws));
}

/*
 * How far a cluster moves an estimated limit: the influence function of mean + q SD: x + q (x^2 - 1) / 2 of
 * the standardised difference x, where q is 1.96 or its opposite.
 */
static void influence(const double *unit, size_t clusters, double q, double *ret)
{
	for (size_t c = 0; c < clusters; c++) {
		double x = unit[c] * sqrt((double)clusters);

		ret[c] = x + q * (x * x - 1) / 2;
	}
	standardise(ret, clusters);
}

/* For the upper limits of all metrics, or the lower ones. */
static double limits_confidence(const double *units, size_t n, size_t clusters, double q, double confidence,
				gsl_rng *rng)
{
	cleanup_free double *moved = xcalloc(n * clusters, sizeof(*moved));
	double df = (double)clusters - 1;

	for (size_t m = 0; m < n; m++)
		influence(units + m * clusters, clusters, q, moved + m * clusters);
	return 1 - dist_t_upper(largest_quantile(moved, n, clusters, df, 2 * confidence - 1, rng), df);
}

struct metrics {
	const double *means;
	size_t n, clusters;
};

/* Orders clusters by what the metrics say of them, the first one first. */
static int compare_clusters(const void *a, const void *b, void *arg)
{
	const struct metrics *metrics = arg;
	const double *p = metrics->means + *(const size_t *)a, *q = metrics->means + *(const size_t *)b;
	int order = 0;

	for (size_t i = 0; !order && i < metrics->n; i++, p += metrics->clusters, q += metrics->clusters)
		order = (*p > *q) - (*p < *q);
	return order;
}

/* The means with clusters in an order that depends on nothing else. */
static double *sort_clusters(const double *means, size_t metrics, size_t clusters)
{
	struct metrics m = { means, metrics, clusters };
	cleanup_free size_t *order = xcalloc(clusters + 1, sizeof(*order));
	double *sorted = xcalloc(metrics * clusters + 1, sizeof(*sorted));

	for (size_t c = 0; c < clusters; c++)
		order[c] = c;
	qsort_r(order, clusters, sizeof(*order), compare_clusters, &m);
	for (size_t i = 0; i < metrics * clusters; i++)
		sorted[i] = means[i / clusters * clusters + order[i % clusters]];
	return sorted;
}

/* Does an earlier metric say the same of each cluster? */
static bool is_alias(const double *means, size_t metric, size_t clusters)
{
	for (size_t m = 0; m < metric; m++)
		if (memcmp(means + m * clusters, means + metric * clusters, clusters * sizeof(*means)) == 0)
			return true;
	return false;
}

/* Standardised differences of the metrics that differ, from cluster to cluster and from other metrics. */
static size_t collect_units(const double *means, size_t metrics, size_t clusters, double *units)
{
	size_t n = 0;

	for (size_t m = 0; clusters > 1 && m < metrics; m++) {
		const double *metric = means + m * clusters;

		if (is_constant(metric, clusters) || is_alias(means, m, clusters))
			continue;
		memcpy(units + n * clusters, metric, clusters * sizeof(*units));
		standardise(units + n++ * clusters, clusters);
	}
	return n;
}

double ranking_confidence(const double *means, size_t metrics, size_t clusters, double confidence,
			  uint64_t seed)
{
	cleanup_free double *units = xcalloc(metrics * clusters + 1, sizeof(*units));
	cleanup_free double *sorted = sort_clusters(means, metrics, clusters);
	size_t n = collect_units(sorted, metrics, clusters, units);
	double bonferroni = 1 - (1 - confidence) / (double)n;

	if (n < 2)
		return confidence;
	if (clusters < RANKING_CLUSTERS_MIN)
		return bonferroni;

	gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);

	gsl_rng_set(rng, seed);

	double upper = limits_confidence(units, n, clusters, LIMITS_SD, confidence, rng);
	double lower = limits_confidence(units, n, clusters, -LIMITS_SD, confidence, rng);

	gsl_rng_free(rng);
	/* A result outside of these is an error of sampling. */
	return fmin(bonferroni, fmax(confidence, fmax(upper, lower)));
}
