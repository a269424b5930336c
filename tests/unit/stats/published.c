/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What papers and other programs say of the files in tests/data/agreement. Data that are shorter are in the
 * tests beside this one.
 */
#include <stddef.h>

#include "calibrate/stats/quantal.h"
#include "harness/compare/pairs.h"
#include "tests/unit/errors.h"
#include "tests/unit/stats/agreement.h"

#define DIR "tests/data/agreement/"

/* A figure of a comparison, and half a unit of its last published digit. */
#define FIGURE(member, want, digits)                                                                         \
	{                                                                                                    \
#member, offsetof(struct agreement, member), want, digits                                    \
	}

struct figure {
	const char *name;
	size_t offset;
	double want, digits;
};

static const struct {
	const char *file, *source;
	size_t n, clusters;
	struct figure figures[6];
} published[] = {
	{ "plvol_log.csv",
	  "Bland & Altman 1999",
	  99,
	  99,
	  { FIGURE(abs.bias, 0.099, 5e-4), FIGURE(abs.loa.lo, 0.056, 5e-4), FIGURE(abs.loa.hi, 0.141, 5e-4),
	    FIGURE(abs.bias, 0.0989, 5e-5), FIGURE(abs.loa.lo, 0.05637, 5e-6),
	    FIGURE(abs.loa.hi, 0.14143, 5e-6) } },
	{ "sbp_J1_S1.csv",
	  "Bland & Altman 1999",
	  85,
	  85,
	  { FIGURE(abs.bias, -16.29, 5e-3), FIGURE(abs.sd, 19.61, 5e-3), FIGURE(abs.loa.lo, -54.7, 5e-2),
	    FIGURE(abs.loa.hi, 22.1, 5e-2), FIGURE(abs.bias_ci.lo, -20.5, 5e-2),
	    FIGURE(abs.bias_ci.hi, -12.1, 5e-2) } },
	{ "sbp_J_S.csv",
	  "Bland & Altman 1999, with replicates",
	  255,
	  85,
	  { FIGURE(abs.bias, -15.62, 5e-3) } },
	{ "sen1968.csv",
	  "Sen 1968, by R's deming",
	  7,
	  7,
	  { FIGURE(passing_bablok.slope, 4, 1e-12), FIGURE(passing_bablok.slope_ci.lo, 26. / 7, 1e-12),
	    FIGURE(passing_bablok.slope_ci.hi, 35. / 8, 1e-12),
	    FIGURE(passing_bablok.intercept, 6, 1e-12) } },
	{ "deming_pdata.csv",
	  "R's deming",
	  6,
	  6,
	  { FIGURE(passing_bablok.slope, 1.05, 1e-12), FIGURE(passing_bablok.intercept, 1. / 8, 1e-12) } },
	{ "sa_simple.csv",
	  "R's SimplyAgree",
	  18,
	  18,
	  { FIGURE(abs.bias, 0.4383, 5e-5), FIGURE(abs.bias_ci.lo, -0.1669, 5e-5),
	    FIGURE(abs.bias_ci.hi, 1.0436, 5e-5), FIGURE(abs.sd, 1.217, 5e-4),
	    FIGURE(abs.loa.lo, -1.947, 5e-4), FIGURE(abs.loa.hi, 2.824, 5e-4) } },
	{ "cusum_mib.csv", "exact rationals", 23, 23, { FIGURE(linearity_p, 0.08152, 5e-6) } },
	{ "pb_decimals.csv",
	  "exact rationals",
	  4,
	  4,
	  { FIGURE(passing_bablok.slope, 0.4, 1e-15), FIGURE(passing_bablok.intercept, 0.13, 1e-15) } },
	{ "pb_integers.csv",
	  "exact rationals",
	  4,
	  4,
	  { FIGURE(passing_bablok.slope, 0.4, 1e-15), FIGURE(passing_bablok.intercept, 1.3, 1e-14) } },
};

static struct agreement load(const char *file)
{
	cleanup_free char *path = xasprintf(DIR "%s", file);
	cleanup_pairs struct pairs pairs = { 0 };

	must(pairs_load(path, &pairs));
	return of(pairs.pairs, pairs.n);
}

static void test_published(void)
{
	for (size_t i = 0; i < sizeof(published) / sizeof(published[0]); i++) {
		struct agreement a = load(published[i].file);

		printf("# %s: %s\n", published[i].file, published[i].source);
		ok(a.n == published[i].n && a.clusters == published[i].clusters, published[i].file);
		for (const struct figure *f = published[i].figures; f < published[i].figures + 6 && f->name;
		     f++)
			is_near(*(const double *)((const char *)&a + f->offset), f->want, f->digits, f->name);
	}

	/* The variance of cells' means, which has a third of that of replicates in it. */
	struct agreement a = load("sbp_J_S.csv");
	double between = a.abs.sd_between * a.abs.sd_between, within = a.abs.sd_within * a.abs.sd_within;

	is_near(between + within / 3, 358.493, 1e-3, "sbp_J_S.csv: variance of mean differences");
}

static size_t load_doses(const char *path, struct quantal_point *points, size_t max)
{
	FILE *f = fopen(path, "r");
	char line[200];
	size_t n = 0;

	/* A line of comment, and one of names. */
	for (int i = 0; f && i < 2; i++)
		must(fgets(line, sizeof(line), f) ? NULL : err_new("%s is too short", path));
	while (f && n < max && fscanf(f, "%lf,%lf,%lf", &points[n].dose, &points[n].n, &points[n].yes) == 3)
		n++;
	if (f)
		fclose(f);
	return n;
}

/* Firth's penalty, by R's brglm2; ED50 without it is -1.378037. */
static void test_doses(void)
{
	static const struct quantal_point separated[] = { { 1, 1, 0 }, { 2, 1, 0 }, { 3, 1, 0 },
							  { 4, 1, 1 }, { 5, 1, 1 }, { 6, 1, 1 } };
	struct quantal_point points[100];
	size_t n = load_doses(DIR "endometrial.csv", points, 100);
	struct quantal_logistic f;

	is_int(n, 69, "Heinze & Schemper's endometrial cancer: doses");
	quantal_fit_logistic(points, n, &f);
	is_near(f.intercept, 4.731316722, 5e-9, "intercept");
	is_near(f.slope, 3.434572073, 5e-9, "slope");
	is_near(f.ed50, -1.377556, 5e-7, "ED50");
	quantal_fit_logistic(separated, 6, &f);
	is_near(f.intercept, -3.951193710, 5e-9, "1 to 6, no to 3 and yes from 4: intercept");
	is_near(f.slope, 1.128912489, 5e-9, "and slope");
}

TAP_MAIN(test_published, test_doses)
