/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How often is a metric validated that should not be? 95 % of its errors lie within the margin, not more, and
 * their shape, the number of loads, what the guests of a load have in common, and the number of metrics in
 * the table differ. It cannot show how it is with shapes that are not here.
 */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <stdlib.h>

#include "calibrate/stats/agreement.h"
#include "calibrate/stats/ranking.h"
#include "tests/tap.h"

#define RUNS       200
#define FALSE_MAX  0.06
#define WEAK_MAX   0.42
#define LOADS_MAX  200
#define CONFIDENCE 0.95

/* Of each kind; another number is taken from the command line. */
static unsigned runs = RUNS;

/* A metric that is right on average, or as often too high as too low. */
#define LOGNORMAL_MEAN   exp(0.5)
#define LOGNORMAL_MEDIAN 1.

/* Of such errors one in 25 is 10 times as large, or one in 2 is 3 times as large. */
static double mixed(gsl_rng *rng, double share, double factor)
{
	return gsl_ran_gaussian(rng, gsl_rng_uniform(rng) < share ? factor : 1);
}

static double normal_within(double m)
{
	return gsl_cdf_ugaussian_P(m) - gsl_cdf_ugaussian_P(-m);
}

static double lognormal_within(double middle, double m)
{
	return gsl_cdf_lognormal_P(middle + m, 0, 1) - gsl_cdf_lognormal_P(fmax(0, middle - m), 0, 1);
}

#define SHAPES(X)                                                                                            \
	X(normal, gsl_ran_gaussian(rng, 1), normal_within(m))                                                \
	X(t3, gsl_ran_tdist(rng, 3), 1 - 2 * gsl_cdf_tdist_Q(m, 3))                                          \
	X(laplace, gsl_ran_laplace(rng, 1), 1 - exp(-m))                                                     \
	X(lognormal, gsl_ran_lognormal(rng, 0, 1) - LOGNORMAL_MEAN, lognormal_within(LOGNORMAL_MEAN, m))     \
	X(skewed, gsl_ran_lognormal(rng, 0, 1) - LOGNORMAL_MEDIAN, lognormal_within(LOGNORMAL_MEDIAN, m))    \
	X(outliers, mixed(rng, 0.04, 10), 0.96 * normal_within(m) + 0.04 * normal_within(m / 10))            \
	X(unequal, mixed(rng, 0.5, 3), 0.5 * normal_within(m) + 0.5 * normal_within(m / 3))                  \
	X(rare, mixed(rng, 0.1, 10), 0.9 * normal_within(m) + 0.1 * normal_within(m / 10))

#define DEFINE(name, draw, within)                                                                           \
	static double draw_##name(gsl_rng *rng)                                                              \
	{                                                                                                    \
		return draw;                                                                                 \
	}                                                                                                    \
	static double within_##name(double m)                                                                \
	{                                                                                                    \
		return within;                                                                               \
	}
SHAPES(DEFINE)

static const struct shape {
	const char *name;
	double (*draw)(gsl_rng *rng);
	double (*within)(double margin);
} shapes[] = {
#define ROW(name, draw, within) { #name, draw_##name, within_##name },
	SHAPES(ROW)
};

/* That has exactly 95 % of the errors within. */
static double margin_of(const struct shape *s)
{
	double lo = 0, hi = 100;

	for (int i = 0; i < 60; i++)
		*(s->within((lo + hi) / 2) < 0.95 ? &lo : &hi) = (lo + hi) / 2;
	return hi;
}

/* Percents of Z, which is 100. */
static struct agreement judge(const double *errors, size_t n, size_t per_load, double margin,
			      double confidence)
{
	struct agreement_params params = { .margin_pct = margin,
					   .confidence = confidence,
					   .confidence_validated = confidence };
	struct agreement_pair pairs[LOADS_MAX];
	struct agreement a;

	for (size_t i = 0; i < n; i++)
		pairs[i] = (struct agreement_pair){ 100, 100 + errors[i], i / per_load };
	agreement_compare(pairs, n, &params, &a);
	return a;
}

static bool is_validated(const double *errors, size_t n, size_t per_load, double margin, double confidence)
{
	return judge(errors, n, per_load, margin, confidence).verdict == AGREEMENT_VALIDATED;
}

/* If limits of agreement had to be within the margin, as for normal errors. */
static bool are_limits_within(const struct agreement *a, double margin)
{
	return -margin < a->pct.outer.lo && a->pct.outer.hi < margin;
}

static void test_shapes(gsl_rng *rng)
{
	static const size_t loads[] = { 4, 8, 20 };

	for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
		for (size_t l = 0; l < 3; l++) {
			double margin = margin_of(&shapes[s]), errors[LOADS_MAX];
			unsigned n = 0, by_limits = 0;

			for (unsigned run = 0; run < runs; run++) {
				for (size_t i = 0; i < loads[l]; i++)
					errors[i] = shapes[s].draw(rng);
				struct agreement a = judge(errors, loads[l], 1, margin, CONFIDENCE);

				n += a.verdict == AGREEMENT_VALIDATED;
				by_limits += are_limits_within(&a, margin);
			}
			/* Few of these errors show too little of their spread: a known weakness, not a
			 * promise. */
			bool is_weak =
				strcmp(shapes[s].name, "skewed") == 0 || strcmp(shapes[s].name, "rare") == 0;

			ok(n <= (is_weak ? WEAK_MAX : FALSE_MAX) * runs, shapes[s].name);
			printf("#   %zu loads: %.1f %% falsely validated; by limits of agreement %.1f %%\n",
			       loads[l], 100. * n / runs, 100. * by_limits / runs);
		}
}

/* Guests of a load err alike: that share of the variance is the load's. */
static void test_guests_of_a_load(gsl_rng *rng)
{
	for (double alike = 0.3; alike < 1; alike += 0.3) {
		unsigned n = 0, apart = 0;

		for (unsigned run = 0; run < runs; run++) {
			double errors[5 * 4];

			for (size_t load = 0; load < 5; load++) {
				double own = gsl_ran_gaussian(rng, sqrt(alike));

				for (size_t guest = 0; guest < 4; guest++)
					errors[4 * load + guest] =
						own + gsl_ran_gaussian(rng, sqrt(1 - alike));
			}
			n += is_validated(errors, 20, 4, 1.96, CONFIDENCE);
			apart += is_validated(errors, 20, 1, 1.96, CONFIDENCE);
		}
		ok(n <= FALSE_MAX * runs, "5 loads in 4 guests each");
		printf("#   correlation %.1f: %.1f %% falsely validated (%.1f %% if each cell counted)\n",
		       alike, 100. * n / runs, 100. * apart / runs);
	}
}

/* A table in which each metric is as bad, and one is enough for a reader to believe it. */
#define METRICS 27

static void test_many_metrics(gsl_rng *rng)
{
	static const size_t loads[] = { 8, 20 };

	for (size_t l = 0; l < 2; l++)
		for (double alike = 0; alike < 1; alike += 0.6) {
			unsigned any = 0, plain = 0;

			for (unsigned run = 0; run < runs / 4; run++) {
				double errors[METRICS * 20];
				bool is_any = false, is_plain = false;

				for (size_t c = 0; c < loads[l]; c++) {
					double common = gsl_ran_gaussian(rng, sqrt(alike));

					for (size_t m = 0; m < METRICS; m++)
						errors[m * loads[l] + c] =
							common + gsl_ran_gaussian(rng, sqrt(1 - alike));
				}

				double confidence =
					ranking_confidence(errors, METRICS, loads[l], CONFIDENCE, run);

				for (size_t m = 0; m < METRICS; m++) {
					const double *e = errors + m * loads[l];

					is_any |= is_validated(e, loads[l], 1, 1.96, confidence);
					is_plain |= is_validated(e, loads[l], 1, 1.96, CONFIDENCE);
				}
				any += is_any;
				plain += is_plain;
			}
			ok(any <= FALSE_MAX * runs / 4, "a table of 27 metrics that are equally bad");
			printf("#   %zu loads, correlation %.1f: %.1f %% have one falsely validated (%.1f %% at 95 %%)\n",
			       loads[l], alike, 400. * any / runs, 400. * plain / runs);
		}
}

/* As many loads as it says would decide do so in four of five samples of normal errors. */
static void test_needed(gsl_rng *rng)
{
	static const struct {
		double bias, margin;
		enum agreement_verdict verdict;
		const char *what;
	} cases[] = {
		{ 0, 5, AGREEMENT_VALIDATED, "for a wide margin" },
		{ 1, 7, AGREEMENT_VALIDATED, "and with a bias" },
		{ 0, 2.8, AGREEMENT_VALIDATED, "for a narrower one, by counting" },
		{ 1, 2, AGREEMENT_REJECTED, "for one that is too narrow" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct limits_moments m = {
			.k = 2, .n = 2, .bias = cases[i].bias, .variance_clusters = 1, .variance_within = NAN
		};
		size_t needed = limits_clusters_needed(&m, cases[i].margin, CONFIDENCE);
		double errors[LOADS_MAX];
		unsigned n = 0;

		if (!ok(needed > 2 && needed <= LOADS_MAX, cases[i].what))
			continue;
		for (unsigned run = 0; run < runs; run++) {
			for (size_t k = 0; k < needed; k++)
				errors[k] = cases[i].bias + gsl_ran_gaussian(rng, 1);
			n += judge(errors, needed, 1, cases[i].margin, CONFIDENCE).verdict ==
			     cases[i].verdict;
		}
		ok(n >= 0.65 * runs && n <= 0.95 * runs, "four of five are decided");
		printf("#   %zu loads: %.1f %%\n", needed, 100. * n / runs);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1)
		runs = (unsigned)atoi(argv[1]);

	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);

	gsl_rng_set(rng, 1);
	test_shapes(rng);
	test_guests_of_a_load(rng);
	test_many_metrics(rng);
	test_needed(rng);
	gsl_rng_free(rng);
	return tap_done();
}
