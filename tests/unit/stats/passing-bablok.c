/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Passing and Bablok's line: slopes found by counting are those found by looking at each, on data made to be
 * awkward for counting; and what follows from the definition. Published figures are in agreement.c; it does
 * not show how well the line describes anything.
 */
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <time.h>

#include "calibrate/stats/agreement-line.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "tests/tap.h"

#define N_MAX 300

enum shape {
	SMOOTH,   /* all values different */
	GRID,     /* small whole numbers: ties, upright pairs, identical points, slopes of -1 */
	GRID_FAR, /* the same with a large offset, in thirds */
	NEGATIVE, /* slopes below -1 are most */
	WILD,     /* any magnitude */
	UPRIGHT,  /* two values of z */
	SHAPES
};

static const char *const shape_names[] = { "smooth", "grid", "far grid", "negative", "wild", "upright" };

static double wild(gsl_rng *rng)
{
	return gsl_ran_gaussian(rng, 1) * pow(10, gsl_ran_flat(rng, -12, 12));
}

static void make(enum shape shape, gsl_rng *rng, double *z, double *y, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double base = gsl_ran_flat(rng, 0, 10), error = gsl_ran_gaussian(rng, 1.5);

		z[i] = base;
		y[i] = base + error;
		if (shape == GRID || shape == GRID_FAR) {
			z[i] = round(z[i]);
			y[i] = round(y[i]);
		}
		if (shape == GRID_FAR) {
			z[i] = 1e6 + z[i] / 3;
			y[i] = 1e6 + y[i] / 3;
		}
		if (shape == NEGATIVE)
			y[i] = 3 * error - base;
		if (shape == WILD) {
			z[i] = wild(rng);
			y[i] = wild(rng);
		}
		if (shape == UPRIGHT)
			z[i] = base < 5 ? 1 : 2;
	}
}

/* The same number, but for how quotients and their mean are rounded; or none both. */
static bool is_same(double a, double b)
{
	return (isnan(a) && isnan(b)) || a == b || fabs(a - b) <= 2e-15 * fabs(a);
}

static bool are_same_intercepts(double a, double b, double scale)
{
	return (isnan(a) && isnan(b)) || a == b || fabs(a - b) <= 1e-14 * scale;
}

static bool agree(const struct passing_bablok *a, const struct passing_bablok *b, double scale)
{
	return is_same(a->line.slope, b->line.slope) && is_same(a->line.slope_ci.lo, b->line.slope_ci.lo) &&
	       is_same(a->line.slope_ci.hi, b->line.slope_ci.hi) &&
	       are_same_intercepts(a->line.intercept, b->line.intercept, scale) &&
	       are_same_intercepts(a->line.intercept_ci.lo, b->line.intercept_ci.lo, scale) &&
	       are_same_intercepts(a->line.intercept_ci.hi, b->line.intercept_ci.hi, scale);
}

/* The slopes of a line times values of z are rounded in its intercepts. */
static double largest_term(const struct agreement_line *l, const double *z, const double *y, size_t n)
{
	double steepest = fabs(l->slope), largest = 0;

	if (isfinite(l->slope_ci.hi))
		steepest = fmax(steepest, fabs(l->slope_ci.hi));
	if (isfinite(l->slope_ci.lo))
		steepest = fmax(steepest, fabs(l->slope_ci.lo));
	for (size_t i = 0; i < n; i++)
		largest = fmax(largest, fmax(fabs(y[i]), steepest * fabs(z[i])));
	return largest;
}

static void test_both_ways(enum shape shape)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	double z[N_MAX], y[N_MAX];
	unsigned same = 0, runs = 0, finite = 0;
	char what[100];

	for (unsigned seed = 1; seed <= 300; seed++) {
		size_t n = 2 + seed % 60 + (seed % 10 ? 0 : 200);
		struct passing_bablok looked, counted;

		gsl_rng_set(rng, seed);
		make(shape, rng, z, y, n);
		passing_bablok_fit(z, y, n, N_MAX, &looked);
		passing_bablok_fit(z, y, n, 0, &counted);
		runs++;
		same += looked.is_enumerated && !counted.is_enumerated &&
			agree(&looked, &counted, largest_term(&looked.line, z, y, n));
		finite += isfinite(looked.line.slope);
	}
	gsl_rng_free(rng);
	snprintf(what, sizeof(what), "%s: counting finds what looking at each finds, %u lines",
		 shape_names[shape], finite);
	is_int(same, runs, what);
}

/* By hand: slopes 2, 1.5, 1.5, 1, 1.25, 1.5 and K = 0; the middle of six is (1.5 1.5)^0.5. */
static void test_by_hand(void)
{
	static const double z[] = { 0, 1, 2, 4 }, y[] = { 0, 2, 3, 6 };
	struct passing_bablok pb;

	passing_bablok_fit(z, y, 4, 10, &pb);
	is_near(pb.line.slope, 1.5, 1e-15, "four points by hand: slope");
	is_near(pb.line.intercept, 0, 1e-15, "intercept: the middle of 0, 0.5, 0, 0");
	ok(isinf(pb.line.slope_ci.lo) && isinf(pb.line.slope_ci.hi), "four points leave the slope open");
	ok(isinf(pb.line.intercept_ci.lo) && isinf(pb.line.intercept_ci.hi), "and the intercept");

	/* Slopes 1, 1, 1, 1.25, 1.5, 2. */
	static const double y1[] = { 0, 2, 3, 5 };

	passing_bablok_fit(z, y1, 4, 10, &pb);
	is_near(pb.line.slope, sqrt(1.25), 1e-15, "the middle of 1 and 1.25 is their geometric mean");

	/* Slopes 1, -1 (left out), upright, 0 / 0 (left out): 1 and two upright ones of either sign. */
	static const double z2[] = { 0, 1, 1, 1 }, y2[] = { 0, 1, -1, 1 };

	passing_bablok_fit(z2, y2, 4, 10, &pb);
	ok(isnan(pb.line.slope), "most slopes are upright: there is no line");

	/* Slopes: 1 three times, 2, -1 once (left out), 0. */
	static const double z3[] = { 0, 1, 2, 3 }, y3[] = { 0, 1, 2, 1 };

	passing_bablok_fit(z3, y3, 4, 10, &pb);
	is_near(pb.line.slope, 1, 1e-15, "a slope of -1 does not count");
	passing_bablok_fit(z3, y3, 4, 0, &pb);
	is_near(pb.line.slope, 1, 1e-15, "counted neither");
}

/* Tenths, which no computer knows exactly, have the line of the whole numbers; the first ones by hand. */
static void test_decimals(void)
{
	static const double z[] = { 1, 2, 7, 9 }, y[] = { 3, 2, 4, 5 };
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	double whole[2][N_MAX], tenths[2][N_MAX];
	unsigned same[2] = { 0, 0 }, runs = 300;

	for (unsigned seed = 0; seed < runs; seed++) {
		size_t n = seed ? 5 + seed % 60 : 4;

		for (size_t i = 0; i < n; i++) {
			whole[0][i] = seed ? round(gsl_ran_flat(rng, 0, 30)) : z[i];
			whole[1][i] = seed ? round(whole[0][i] + gsl_ran_gaussian(rng, 6)) : y[i];
			tenths[0][i] = whole[0][i] / 10;
			tenths[1][i] = whole[1][i] / 10;
		}
		for (int i = 0; i < 2; i++) {
			struct passing_bablok a, b;

			passing_bablok_fit(whole[0], whole[1], n, i ? N_MAX : 0, &a);
			passing_bablok_fit(tenths[0], tenths[1], n, i ? N_MAX : 0, &b);
			if (!seed)
				is_near(b.line.slope, 0.4, 1e-15, "0.1,0.3 0.2,0.2 0.7,0.4 0.9,0.5: 0.4");
			same[i] += fabs(a.line.slope - b.line.slope) < 1e-13 &&
				   (fabs(a.line.slope_ci.lo - b.line.slope_ci.lo) < 1e-13 ||
				    isinf(a.line.slope_ci.lo)) &&
				   fabs(a.line.intercept - 10 * b.line.intercept) < 1e-12 &&
				   (fabs(a.linearity_p - b.linearity_p) < 1e-13 || isnan(a.linearity_p));
		}
	}
	is_int(same[0], runs, "tenths have the line and the test of whole numbers, counted");
	is_int(same[1], runs, "and looked at");
	gsl_rng_free(rng);
}

static void test_degenerate(void)
{
	static const double same[] = { 3, 3, 3 }, some[] = { 1, 2, 4 }, falling[] = { 4, 2, 1 };

	for (size_t max = 0; max <= 10; max += 10) {
		struct passing_bablok pb;

		passing_bablok_fit(some, some, 0, max, &pb);
		ok(isnan(pb.line.slope) && isnan(pb.line.slope_ci.lo), "no points: no line");
		passing_bablok_fit(some, some, 1, max, &pb);
		ok(isnan(pb.line.slope), "one point: no line");
		passing_bablok_fit(same, same, 3, max, &pb);
		ok(isnan(pb.line.slope), "identical points: no line");
		passing_bablok_fit(same, some, 3, max, &pb);
		ok(isnan(pb.line.slope), "z constant: no line");
		passing_bablok_fit(some, same, 3, max, &pb);
		is_near(pb.line.slope, 0, 0, "y constant: a slope of 0");
		is_near(pb.line.intercept, 3, 0, "at its value");
		passing_bablok_fit(some, some, 3, max, &pb);
		is_near(pb.line.slope, 1, 0, "the same values: a slope of 1");
		ok(isnan(pb.linearity_p), "and all points on the line: nothing to test");
		passing_bablok_fit(some, falling, 3, max, &pb);
		ok(isnan(pb.line.slope) || pb.line.slope > -1, "a slope below -1 is never found");
	}
}

/* A bow, which no line describes, and a wide cloud, which one does. */
static void test_linearity(void)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	double z[N_MAX], y[N_MAX];
	struct passing_bablok pb;

	gsl_rng_set(rng, 5);
	for (size_t i = 0; i < 100; i++) {
		z[i] = (double)i;
		y[i] = z[i] * z[i] / 100 + gsl_ran_gaussian(rng, 2);
	}
	passing_bablok_fit(z, y, 100, N_MAX, &pb);
	ok(pb.linearity_p < 0.001, "a bow is no line");
	for (size_t i = 0; i < 100; i++)
		y[i] = z[i] + gsl_ran_gaussian(rng, 10);
	passing_bablok_fit(z, y, 100, N_MAX, &pb);
	ok(pb.linearity_p > 0.05, "a cloud along a line may be one");
	gsl_rng_free(rng);
}

/* A third of wild points moves it little. */
static void test_outliers(void)
{
	double z[30], y[30];
	struct passing_bablok pb;

	for (size_t i = 0; i < 30; i++) {
		z[i] = (double)i;
		y[i] = 2 + z[i] + (i % 2 ? 0.1 : -0.1);
	}
	y[3] = 1000;
	y[17] = -1000;
	y[25] = 1e9;
	passing_bablok_fit(z, y, 30, N_MAX, &pb);
	is_near(pb.line.slope, 1, 0.02, "three wild points of 30 do not move the slope");
	is_near(pb.line.intercept, 2, 0.3, "nor the intercept");
}

static void test_many(size_t n, bool is_grid)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	cleanup_free double *z = xcalloc(n, sizeof(*z)), *y = xcalloc(n, sizeof(*y));
	struct passing_bablok pb;

	for (size_t i = 0; i < n; i++) {
		double value = gsl_ran_flat(rng, 100, 300);

		z[i] = value + gsl_ran_gaussian(rng, 5);
		y[i] = value + gsl_ran_gaussian(rng, 5);
		if (is_grid) {
			z[i] = round(z[i]);
			y[i] = round(y[i]);
		}
	}

	clock_t start = clock();

	passing_bablok_fit(z, y, n, PB_ENUMERATE_MAX, &pb);

	double s = (double)(clock() - start) / CLOCKS_PER_SEC;

	printf("# %zu points%s: %.2f s; slope %.6f (%.6f .. %.6f)\n", n, is_grid ? " on a grid" : "", s,
	       pb.line.slope, pb.line.slope_ci.lo, pb.line.slope_ci.hi);
	ok(interval_has(pb.line.slope_ci, 1) && pb.line.slope_ci.hi - pb.line.slope_ci.lo < 0.02,
	   "many points: the interval is narrow and holds the truth");
	gsl_rng_free(rng);
}

int main(void)
{
	for (enum shape shape = 0; shape < SHAPES; shape++)
		test_both_ways(shape);
	test_by_hand();
	test_decimals();
	test_degenerate();
	test_linearity();
	test_outliers();
	test_many(2000, false);
	test_many(50000, false);
	test_many(50000, true);
	return tap_done();
}
