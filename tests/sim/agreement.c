/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Do intervals hold what they say they hold? Data with a known truth are made again and again, and it is
 * counted how often an interval has the truth in it. It cannot show how they do with errors of another shape
 * than those made here: normal, independent from cluster to cluster, and of the same spread in all clusters
 * or in proportion to the value.
 */
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

#include "calibrate/stats/agreement.h"
#include "tests/tap.h"

#define SEEDS     200
#define PAIRS_MAX 400

/* How the pairs of one experiment come about. */
struct truth {
	size_t clusters;
	unsigned replicates_min, replicates_max;
	double z_lo, z_hi;   /* true values */
	double bias, slope;  /* of y */
	double sd_z, sd_y;   /* errors of each pair */
	double sd_cluster;   /* what is particular to a cluster, in y */
	double cv;           /* errors of both in proportion to the value */
	double shared_z_pct; /* error of z common to all pairs */
	double margin;       /* in upper limits of agreement; 0: 5 % */
};

/* One pair for each cluster, and a slope of 1. */
#define SINGLE .replicates_min = 1, .replicates_max = 1, .slope = 1

/* True values of what is estimated. */
struct targets {
	double bias, lo, hi, ccc;
};

static struct targets targets_of(const struct truth *t)
{
	double width = t->z_hi - t->z_lo, spread = width * width / 12,
	       between = t->sd_cluster * t->sd_cluster;
	double zz = t->sd_z * t->sd_z, yy = t->sd_y * t->sd_y;
	double sd = sqrt(between + zz + yy), limit = dist_normal_quantile(0.975) * sd;

	return (struct targets){
		.bias = t->bias,
		.lo = t->bias - limit,
		.hi = t->bias + limit,
		.ccc = 2 * spread / (2 * spread + zz + yy + between + t->bias * t->bias),
	};
}

static size_t make(const struct truth *t, gsl_rng *rng, struct agreement_pair *pairs)
{
	double shared = 1 + gsl_ran_gaussian(rng, t->shared_z_pct / 100);
	size_t n = 0;

	for (size_t c = 0; c < t->clusters; c++) {
		unsigned range = t->replicates_max - t->replicates_min + 1;
		unsigned replicates = t->replicates_min + (unsigned)gsl_rng_uniform_int(rng, range);
		double value = gsl_ran_flat(rng, t->z_lo, t->z_hi),
		       own = gsl_ran_gaussian(rng, t->sd_cluster);

		for (unsigned i = 0; i < replicates; i++) {
			double z = value * shared + gsl_ran_gaussian(rng, t->sd_z);
			double y = t->slope * value + t->bias + own + gsl_ran_gaussian(rng, t->sd_y);

			z += gsl_ran_gaussian(rng, t->cv * value);
			y += gsl_ran_gaussian(rng, t->cv * t->slope * value);
			pairs[n++] = (struct agreement_pair){ z, y, c };
		}
	}
	return n;
}

enum count {
	BIAS,
	LIMIT_LO,
	LIMIT_HI,
	OUTER_LO,
	OUTER_HI,
	INNER_LO,
	INNER_HI,
	DEMING,
	WEIGHTED,
	PASSING,
	CCC,
	PROPORTIONAL,
	BIAS_PCT,
	VALIDATED,
	REJECTED,
	LINE_DOUBTED,
	COUNTS
};

static void add(unsigned n[COUNTS], const struct agreement *a, const struct truth *t,
		const struct targets *want)
{
	const bool is[COUNTS] = {
		[BIAS] = interval_has(a->abs.bias_ci, want->bias),
		[LIMIT_LO] = interval_has(a->abs.loa_lo_ci, want->lo),
		[LIMIT_HI] = interval_has(a->abs.loa_hi_ci, want->hi),
		[OUTER_LO] = a->abs.outer.lo <= want->lo,
		[OUTER_HI] = a->abs.outer.hi >= want->hi,
		[INNER_LO] = a->abs.inner.lo >= want->lo,
		[INNER_HI] = a->abs.inner.hi <= want->hi,
		[DEMING] = interval_has(a->deming.slope_ci, t->slope),
		[WEIGHTED] = interval_has(a->weighted_deming.slope_ci, t->slope),
		[PASSING] = interval_has(a->passing_bablok.slope_ci, t->slope),
		[CCC] = interval_has(a->ccc_ci, want->ccc),
		[PROPORTIONAL] = interval_has(a->proportional_ci, 0),
		[BIAS_PCT] = interval_has(a->pct.bias_ci, 100 * t->bias / t->z_lo),
		[VALIDATED] = a->verdict == AGREEMENT_VALIDATED,
		[REJECTED] = a->verdict == AGREEMENT_REJECTED,
		[LINE_DOUBTED] = a->linearity_p < 0.05,
	};

	for (size_t i = 0; i < COUNTS; i++)
		n[i] += is[i];
}

/* How many of SEEDS experiments each is true of. */
static void experiment(const struct truth *t, unsigned n[COUNTS])
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	struct targets want = targets_of(t);
	struct agreement_params params = { .margin_pct = t->margin > 0 ? t->margin * want.hi : 5,
					   .z_uncertainty_pct = t->shared_z_pct,
					   .confidence = 0.95,
					   .confidence_validated = 0.95 };
	struct agreement_pair pairs[PAIRS_MAX];

	gsl_rng_set(rng, 1);
	for (unsigned seed = 0; seed < SEEDS; seed++) {
		struct agreement a;

		agreement_compare(pairs, make(t, rng, pairs), &params, &a);
		add(n, &a, t, &want);
	}
	gsl_rng_free(rng);
}

/* Of so many percent of the experiments it has to be true. */
struct share {
	enum count of;
	unsigned lo_pct, hi_pct;
	const char *what;
};

/* What 95 % are in 200 experiments, but for one time in some hundred. */
#define NOMINAL 90, 99

static const struct share limits[] = {
	{ LIMIT_LO, NOMINAL, "lower limit" },
	{ LIMIT_HI, NOMINAL, "upper limit" },
	{ 0 },
};
static const struct share bounds[] = {
	{ BIAS, NOMINAL, "bias" },
	{ OUTER_LO, 90, 100, "the lower limit is not beyond its outer bound" },
	{ OUTER_HI, 90, 100, "nor is the upper one" },
	{ INNER_LO, 90, 100, "the lower limit is not within its inner bound" },
	{ INNER_HI, 90, 100, "nor is the upper one" },
	{ 0 },
};
static const struct share lines[] = {
	{ DEMING, NOMINAL, "Deming's slope" },
	{ PASSING, NOMINAL, "Passing and Bablok's slope" },
	{ PROPORTIONAL, NOMINAL, "proportional slope" },
	{ LINE_DOUBTED, 0, 6, "a line is seldom doubted" },
	{ 0 },
};
static const struct share concordance[] = { { CCC, NOMINAL, "Lin's concordance" }, { 0 } };
static const struct share neither[] = {
	{ VALIDATED, 0, 8, "what is not true is seldom validated" },
	{ REJECTED, 0, 8, "or rejected" },
	{ 0 },
};

static const struct {
	const char *name;
	struct truth truth;
	const struct share *common[4];
	struct share own[3];
} designs[] = {
	{ "40 clusters of one pair, errors of SD 5 in both",
	  { 40, SINGLE, .z_lo = 100, .z_hi = 300, .bias = 3, .sd_z = 5, .sd_y = 5 },
	  .common = { limits, bounds, lines, concordance } },
	/*
	 * The textbook's intervals of limits are as long inwards as outwards, though an SD may be much larger
	 * than what few clusters show, but not much smaller: of many experiments with 8 clusters 92 % hold
	 * the limit.
	 */
	{ "10 clusters of one pair",
	  { 10, SINGLE, .z_lo = 100, .z_hi = 300, .bias = 3, .sd_z = 5, .sd_y = 5 },
	  .common = { bounds, lines, concordance },
	  .own = { { LIMIT_LO, 86, 100, "lower limit" }, { LIMIT_HI, 86, 100, "upper limit" } } },
	{ "20 clusters of 1 to 4 pairs, SD between clusters 8, of replicates 5.8",
	  { 20, 1, 4, 100, 300, .slope = 1, .bias = 3, .sd_z = 3, .sd_y = 5, .sd_cluster = 8 },
	  .common = { limits, bounds, concordance } },
	{ "8 clusters of 10 pairs, SD between clusters 2",
	  { 8, 10, 10, 100, 300, .slope = 1, .bias = 3, .sd_z = 3, .sd_y = 5, .sd_cluster = 2 },
	  .common = { limits, bounds, concordance } },
	{ "30 clusters of 3 pairs, nothing particular to a cluster",
	  { 30, 3, 3, 100, 300, .slope = 1, .bias = 3, .sd_z = 3, .sd_y = 5 },
	  .common = { limits, bounds, concordance },
	  .own = { { DEMING, NOMINAL, "Deming's slope with an error ratio found from replicates" } } },
	{ "40 clusters, errors of 4 % of the value in both",
	  { 40, SINGLE, .z_lo = 50, .z_hi = 500, .cv = 0.04 },
	  .own = { { WEIGHTED, NOMINAL, "weighted Deming slope" },
		   { PASSING, NOMINAL, "Passing and Bablok's slope" } } },
	{ "the same of a y that is 1.3 z",
	  { 40, 1, 1, 50, 500, .slope = 1.3, .cv = 0.04 },
	  .own = { { WEIGHTED, NOMINAL, "weighted Deming slope where it is 1.3" } } },
	{ "30 clusters whose z have an error of 1 % in common",
	  { 30, SINGLE, .z_lo = 100, .z_hi = 100, .sd_y = 2, .shared_z_pct = 1 },
	  .own = { { BIAS_PCT, NOMINAL, "bias in percent, with the uncertainty of z given" },
		   { BIAS, 0, 80, "and seldom without" } } },
	/* From here on z is 100 without error, so that differences are percents. */
	{ "the upper limit is at the margin, the lower one inside",
	  { 20, SINGLE, .z_lo = 100, .z_hi = 100, .bias = 2, .sd_y = 1.5, .margin = 1 },
	  .common = { neither } },
	{ "and with 1 to 5 replicates",
	  { 20, 1, 5, 100, 100, .slope = 1, .bias = 2, .sd_y = 1, .sd_cluster = 1, .margin = 1 },
	  .common = { neither } },
	{ "both limits are at the margin",
	  { 20, 1, 5, 100, 100, .slope = 1, .sd_y = 1, .sd_cluster = 1, .margin = 1 },
	  .common = { neither } },
	{ "and of 4 clusters of one pair",
	  { 4, SINGLE, .z_lo = 100, .z_hi = 100, .sd_y = 1, .margin = 1 },
	  .common = { neither } },
	{ "and of 3 pairs",
	  { 4, 3, 3, 100, 100, .slope = 1, .sd_y = 1, .sd_cluster = 1, .margin = 1 },
	  .common = { neither } },
	{ "both limits are within a third of the margin",
	  { 20, 1, 5, 100, 100, .slope = 1, .sd_y = 1, .sd_cluster = 1, .margin = 3 },
	  .own = { { VALIDATED, 95, 100, "a margin three times as wide is validated" } } },
	{ "both limits are at twice the margin",
	  { 20, 1, 5, 100, 100, .slope = 1, .sd_y = 1, .sd_cluster = 1, .margin = 0.5 },
	  .own = { { REJECTED, 95, 100, "one half as wide rejected" } } },
};

static void check(const unsigned n[COUNTS], const struct share *shares)
{
	for (const struct share *s = shares; s->what; s++) {
		ok(n[s->of] >= SEEDS * s->lo_pct / 100 && n[s->of] <= SEEDS * s->hi_pct / 100, s->what);
		printf("#   %.1f %%\n", 100. * n[s->of] / SEEDS);
	}
}

int main(void)
{
	for (size_t d = 0; d < sizeof(designs) / sizeof(designs[0]); d++) {
		unsigned n[COUNTS] = { 0 };

		printf("# %s\n", designs[d].name);
		experiment(&designs[d].truth, n);
		check(n, designs[d].own);
		for (size_t i = 0; i < 4 && designs[d].common[i]; i++)
			check(n, designs[d].common[i]);
	}
	return tap_done();
}
