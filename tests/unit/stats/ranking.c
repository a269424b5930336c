/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The confidence that picking the best of several metrics takes: what is known of extreme cases, and
 * properties. Whether bounds with it hold is shown by tests/sim/ranking.c.
 */
#include <gsl/gsl_randist.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "calibrate/stats/distribution.h"
#include "calibrate/stats/ranking.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "tests/tap.h"

/* Metrics whose errors have a common part in each cluster; its share of variance is the correlation. */
static double *make(size_t metrics, size_t clusters, double correlation, uint64_t seed)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	double *diffs = xcalloc(metrics * clusters, sizeof(*diffs));

	gsl_rng_set(rng, seed);
	for (size_t c = 0; c < clusters; c++) {
		double common = gsl_ran_ugaussian(rng);

		for (size_t m = 0; m < metrics; m++)
			diffs[m * clusters + c] =
				sqrt(correlation) * common + sqrt(1 - correlation) * gsl_ran_ugaussian(rng);
	}
	gsl_rng_free(rng);
	return diffs;
}

static double confidence_of(const double *diffs, size_t metrics, size_t clusters, double confidence)
{
	return ranking_confidence(diffs, metrics, clusters, confidence, 2);
}

static double confidence_of_made(size_t metrics, size_t clusters, double correlation)
{
	cleanup_free double *diffs = make(metrics, clusters, correlation, 1);

	return confidence_of(diffs, metrics, clusters, 0.95);
}

static void test_extremes(void)
{
	double one = confidence_of_made(30, 50, 0.9999999), few = confidence_of_made(30, 50, 0.99);
	double some = confidence_of_made(30, 50, 0.8), none = confidence_of_made(30, 50, 0);

	printf("# 30 metrics of correlation 1, 0.99, 0.8, 0: %.5f %.5f %.5f %.5f\n", one, few, some, none);
	is_near(one, 0.95, 0.002, "metrics that always err together cost nothing");
	ok(few > one && some > few && none > some, "the less they are alike the more it costs");
	ok(none <= 1 - 0.05 / 30, "but never more than Bonferroni's correction");

	/* Sidak's for two independent normal means: 0.9 = (1 - 2 p)^2; with many clusters t is normal. */
	is_near(confidence_of_made(2, 2000, 0), 1 - (1 - sqrt(0.9)) / 2, 0.0015,
		"two unrelated ones cost what Sidak says");
}

/*
 * Two treatments beside a control (Dunnett 1964, Biometrics 20:482, two-sided 5 %, 15 degrees of
 * freedom): 2.44. With two values only, as far above as below the mean, limits move as means do.
 */
static void test_joint_t(void)
{
	static const double diffs[] = { 3, 3, 3, 3, 3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1,
					3, 3, 3, 3, 3, 3, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1 };
	double t = dist_t_quantile(confidence_of(diffs, 2, 16, 0.975), 15);

	is_near(t, 2.44, 0.04, "two means of correlation 0.5 with 15 degrees of freedom");
}

static void test_properties(void)
{
	cleanup_free double *diffs = make(5, 20, 0.3, 7), *other = make(5, 20, 0.3, 7);
	double confidence = confidence_of(diffs, 5, 20, 0.95);

	for (size_t i = 0; i < 100; i++)
		other[i] = 1e-12 * other[i] + 1e-6 * (double)(i / 20);
	is_near(confidence_of(other, 5, 20, 0.95), confidence, 1e-6, "units and shifts do not matter");
	for (size_t i = 0; i < 100; i++)
		other[i] *= i / 20 % 2 ? -1 : 1;
	/* Turned round, the same draws are others of the same kind. */
	is_near(confidence_of(other, 5, 20, 0.95), confidence, 0.001, "nor do signs");
	for (size_t i = 0; i < 100; i++)
		other[i] = diffs[i] * 1e200;
	is_near(confidence_of(other, 5, 20, 0.95), confidence, 1e-12, "nor does a large unit");
	is_near(confidence_of(diffs, 5, 20, 0.95), confidence, 0, "the same seed, the same answer");
	for (size_t i = 0; i < 100; i++)
		other[i] = diffs[i / 20 * 20 + (i % 20 * 7 + 3) % 20];
	is_near(confidence_of(other, 5, 20, 0.95), confidence, 0, "in whatever order clusters are");
	ok(confidence_of(diffs, 5, 20, 0.99) > confidence, "more confidence asked for takes more");

	for (size_t c = 0; c < 20; c++)
		other[20 + c] = other[60 + c] = 0.1;
	for (size_t c = 0; c < 20; c++) {
		diffs[20 + c] = diffs[40 + c];
		diffs[40 + c] = diffs[80 + c];
	}
	is_near(confidence_of(other, 5, 20, 0.95), confidence_of(diffs, 3, 20, 0.95), 1e-12,
		"metrics that are never different are left out");

	/* What makes one mean too high makes the other as much too low; but both SDs too large. */
	for (size_t c = 0; c < 20; c++)
		other[20 + c] = -(other[c] = diffs[c]);

	double mirrored = confidence_of(other, 2, 20, 0.95);

	ok(mirrored > 0.965 && mirrored < 0.975,
	   "a metric and its mirror image have the same |mean|, not the same limits");
}

static void test_degenerate(void)
{
	double diffs[] = { 1, 2, 3, 7, 5, 5, 5, 5 };

	is_near(confidence_of(NULL, 0, 0, 0.95), 0.95, 0, "no metrics: the given confidence");
	is_near(confidence_of(diffs, 0, 4, 0.95), 0.95, 0, "none, of clusters");
	is_near(confidence_of(diffs, 1, 8, 0.95), 0.95, 0, "one metric");
	is_near(confidence_of(diffs, 8, 1, 0.95), 0.95, 0, "one cluster");
	is_near(confidence_of(diffs, 2, 4, 0.95), 0.95, 0, "one metric beside a constant one");

	double two = confidence_of(diffs, 4, 2, 0.95);

	ok(two >= 0.95 && two <= 1 - 0.05 / 2, "two clusters: between nothing and Bonferroni's");
}

static void test_time(void)
{
	double *diffs = make(30, 50, 0.5, 3);
	clock_t start = clock();
	double confidence = confidence_of(diffs, 30, 50, 0.95);

	printf("# 30 metrics x 50 clusters: %.3f, in %.3f s\n", confidence,
	       (double)(clock() - start) / CLOCKS_PER_SEC);
	free(diffs);
	diffs = make(3, 100000, 0.5, 3);
	start = clock();
	confidence = confidence_of(diffs, 3, 100000, 0.95);
	printf("# 3 metrics x 100000 clusters: %.3f, in %.3f s\n", confidence,
	       (double)(clock() - start) / CLOCKS_PER_SEC);
	ok(confidence > 0.95 && confidence <= 1 - 0.05 / 3, "very many clusters");
	free(diffs);
}

static void test_few(void)
{
	double few[3 * 11], other[3 * 11];
	cleanup_free double *diffs = make(3, 11, 0.99, 1);

	memcpy(few, diffs, sizeof(few));
	is_near(confidence_of(few, 3, 11, 0.95), 1 - 0.05 / 3, 1e-12,
		"11 clusters do not tell what is alike");
	memcpy(few + 11, few, 11 * sizeof(*few));
	is_near(confidence_of(few, 3, 11, 0.95), 1 - 0.05 / 2, 1e-12, "but for metrics that are equal");
	for (size_t i = 0; i < 33; i++)
		other[i] = diffs[i / 11];
	is_near(confidence_of(other, 3, 11, 0.95), 0.95, 0, "constant ones have no chance to be picked");
}

TAP_MAIN(test_extremes, test_joint_t, test_properties, test_degenerate, test_time, test_few)
