/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The best of several metrics is picked by the same data that its bounds come from. Do these hold then? It
 * cannot show that they do for metrics whose errors are related in other ways than by a part common to all.
 */
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

#include "calibrate/stats/agreement.h"
#include "calibrate/stats/ranking.h"
#include "tests/tap.h"

#define SEEDS    200
#define METRICS  8
#define CLUSTERS 16
#define BIAS     2.
#define SD       1.5

/* Of experiments: in how many the upper limit of the metric that was picked is not beyond its bound. */
struct held {
	unsigned plain, corrected;
	double confidence; /* mean */
};

static void compare(const double *diffs, double confidence, struct agreement *a)
{
	struct agreement_params params = { .margin_pct = 5,
					   .confidence = confidence,
					   .confidence_validated = confidence };
	struct agreement_pair pairs[CLUSTERS];

	for (size_t c = 0; c < CLUSTERS; c++)
		pairs[c] = (struct agreement_pair){ 100, 100 + diffs[c], c };
	agreement_compare(pairs, CLUSTERS, &params, a);
}

/* Whoever wants a metric with narrow limits takes that with the lowest bound. */
static double lowest_bound(double diffs[METRICS][CLUSTERS], double confidence)
{
	double lowest = INFINITY;

	for (size_t m = 0; m < METRICS; m++) {
		struct agreement a;

		compare(diffs[m], confidence, &a);
		lowest = fmin(lowest, a.pct.outer.hi);
	}
	return lowest;
}

static double confidence_of(const double *diffs, uint64_t seed)
{
	return ranking_confidence(diffs, METRICS, CLUSTERS, 0.95, seed);
}

/* All metrics are equally good. Their errors in a cluster have a common part, whose share of variance is the
 * correlation. */
static struct held experiment(double correlation)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	struct held held = { 0 };

	gsl_rng_set(rng, 1);
	for (unsigned seed = 0; seed < SEEDS; seed++) {
		double diffs[METRICS][CLUSTERS], truth = BIAS + 1.96 * SD;

		for (size_t c = 0; c < CLUSTERS; c++) {
			double common = gsl_ran_gaussian(rng, sqrt(correlation));

			for (size_t m = 0; m < METRICS; m++)
				diffs[m][c] =
					BIAS + SD * (common + gsl_ran_gaussian(rng, sqrt(1 - correlation)));
		}

		double confidence = confidence_of(diffs[0], seed);

		held.plain += lowest_bound(diffs, 0.95) >= truth;
		held.corrected += lowest_bound(diffs, confidence) >= truth;
		held.confidence += confidence / SEEDS;
	}
	gsl_rng_free(rng);
	printf("# %d metrics of correlation %.2f, the best of %d clusters: its bound holds in %.1f %%, with "
	       "confidence %.4f in %.1f %%\n",
	       METRICS, correlation, CLUSTERS, 100. * held.plain / SEEDS, held.confidence,
	       100. * held.corrected / SEEDS);
	return held;
}

static void check(double correlation, unsigned plain_max_pct)
{
	struct held held = experiment(correlation);

	ok(held.corrected >= SEEDS * 90 / 100, "the bound of the metric that was picked holds");
	ok(held.plain <= SEEDS * plain_max_pct / 100, "without the correction it does so less often");
	ok(held.corrected > held.plain, "than with it");
}

int main(void)
{
	check(0.5, 75);
	return tap_done();
}
