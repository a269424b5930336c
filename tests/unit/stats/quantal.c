/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Estimates of ED50 against published data, cases that can be computed by hand, and data that have no answer.
 * What this cannot show is how often intervals hold the truth: tests/sim/quantal.c.
 */

#include "calibrate/stats/quantal.h"
#include "tests/tap.h"

static gsl_rng *rng;

#define N(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Beetles after five hours of gaseous carbon disulphide, by log10 of mg/l: Bliss, Annals of Applied Biology
 * 22, 1935, 134-167. The expected numbers come from maximising the penalised likelihood with 40 digits; those
 * of R's glm(), without a penalty, are 1.7717210, -60.7175 and 34.2703, and Fieller's interval is 1.763858 to
 * 1.779200.
 */
static const struct quantal_point beetles[] = {
	{ 1.6907, 59, 6 },  { 1.7242, 60, 13 }, { 1.7552, 62, 18 }, { 1.7842, 56, 28 },
	{ 1.8113, 63, 52 }, { 1.8369, 59, 53 }, { 1.8610, 62, 61 }, { 1.8839, 60, 60 },
};

static void test_beetles(void)
{
	struct quantal_logistic f;

	quantal_fit_logistic(beetles, N(beetles), &f);
	ok(isfinite(f.slope), "beetles: converged");
	is_near(f.intercept, -60.1137713, 1e-5, "intercept");
	is_near(f.slope, 33.9301305, 1e-5, "slope");
	is_near(f.ed50, 1.77169290, 1e-7, "ED50");
	is_near(f.profile.lo, 1.76391263, 1e-7, "its interval by the profile likelihood, lower end");
	is_near(f.profile.hi, 1.77919640, 1e-7, "upper end");
	/* 481 beetles tell so much that the penalty hardly matters. */
	is_near(f.profile.lo, 1.763858, 2e-4, "much as Fieller says");
	is_near(f.profile.hi, 1.779200, 2e-4, "at both ends");
}

static bool is_no_interval(struct interval i)
{
	return isnan(i.lo) && isnan(i.hi);
}

static bool is_infinite(struct interval i)
{
	return i.lo < 0 && isinf(i.lo) && i.hi > 0 && isinf(i.hi);
}

static bool is_no_fit(const struct quantal_logistic *f)
{
	return isnan(f->intercept) && isnan(f->slope) && isnan(f->ed50) && is_no_interval(f->profile);
}

/* Two doses: the curve goes through both shares, and Firth's penalty is half a yes and half a no more for
 * each. */
static void test_two_doses(void)
{
	static const struct quantal_point p[] = { { 0, 10, 3 }, { 2, 4, 4 } };
	struct quantal_logistic f;
	double low = log(3.5 / 7.5), high = log(4.5 / 0.5);

	quantal_fit_logistic(p, 2, &f);
	is_near(f.intercept, low, 1e-8, "Firth, two doses: 3 of 10 is 3.5 of 11");
	is_near(f.slope, (high - low) / 2, 1e-8, "and 4 of 4 is 4.5 of 5");
	is_near(f.ed50, -low / ((high - low) / 2), 1e-8, "ED50 between them");

	static const struct quantal_point one[] = { { 1, 1, 0 }, { 2, 1, 1 } };

	quantal_fit_logistic(one, 2, &f);
	ok(isfinite(f.slope), "Firth, one no and one yes: converged");
	is_near(f.slope, 2 * log(3), 1e-8, "slope: 1/4 and 3/4");
	is_near(f.ed50, 1.5, 1e-8, "ED50 in the middle");
	ok(is_infinite(f.profile), "two answers: the slope may be 0, and ED50 can be anywhere");
}

/* The penalised likelihood, written down once more. */
static double penalized(const struct quantal_point *p, size_t n, double e, double b)
{
	double sum = 0, aa = 0, ab = 0, bb = 0;

	for (size_t i = 0; i < n; i++) {
		double share = 1 / (1 + exp(-b * (p[i].dose - e))), w = p[i].n * share * (1 - share);

		sum += p[i].yes * log(share) + (p[i].n - p[i].yes) * log(1 - share);
		aa += w;
		ab += w * p[i].dose;
		bb += w * p[i].dose * p[i].dose;
	}
	return sum + log(aa * bb - ab * ab) / 2;
}

static double best_of_slopes(const struct quantal_point *p, size_t n, double e)
{
	double best = -(double)INFINITY;

	for (double b = 0.001; b < 10; b += 0.001)
		best = fmax(best, penalized(p, n, e, b));
	return best;
}

static void test_profile(void)
{
	static const struct quantal_point p[] = { { -3, 5, 0 }, { -1, 5, 2 }, { 1, 5, 2 }, { 3, 5, 5 } };
	struct quantal_logistic f;

	quantal_fit_logistic(p, N(p), &f);

	double top = penalized(p, N(p), f.ed50, f.slope);

	is_near(top, best_of_slopes(p, N(p), f.ed50), 1e-6, "the fit is the best of curves with that ED50");
	/* 3.841459: the 95 % quantile of chi2 with one degree of freedom. */
	is_near(2 * (top - best_of_slopes(p, N(p), f.profile.lo)), 3.841459, 1e-5,
		"the profile's lower end is where the likelihood ratio test rejects");
	is_near(2 * (top - best_of_slopes(p, N(p), f.profile.hi)), 3.841459, 1e-5, "so is its upper end");
	ok(f.profile.lo < f.ed50 && f.ed50 < f.profile.hi, "with ED50 between them");

	/* A slope that is nearly significant, and mostly yes: what is open is the lower end. */
	static const struct quantal_point open[] = { { 1, 8, 4 }, { 2, 8, 5 }, { 3, 8, 6 }, { 4, 8, 7 } };

	quantal_fit_logistic(open, N(open), &f);
	ok(isinf(f.profile.lo) && isfinite(f.profile.hi),
	   "an uncertain slope: the profile's lower end is open");
	ok(f.ed50 < f.profile.hi, "the upper end is above ED50");
}

static void test_separated(void)
{
	static const struct quantal_point steep[] = {
		{ 189952, 2, 0 }, { 190464, 3, 0 }, { 190720, 3, 3 }, { 191232, 2, 2 }
	};
	struct quantal_logistic f;

	is_int(quantal_separation(steep, N(steep)), QUANTAL_COMPLETE, "all yes above all no: separated");
	quantal_fit_logistic(steep, N(steep), &f);
	ok(isfinite(f.slope), "there is a fit all the same");
	is_near(f.ed50, 190592, 1e-3, "symmetric answers: ED50 in the middle");
	is_near(f.profile.lo + f.profile.hi, 2 * 190592, 0.01, "the profile's ends as far below as above");
	ok(f.profile.lo < 190464 && f.profile.lo > 189952, "10 answers: outside of the gap, among the doses");
}

/* As a search leaves them: doses far away, and a crowd where it ended. */
static void test_crowd(void)
{
	static const struct quantal_point p[] = {
		{ 0, 2, 0 },      { 100000, 1, 0 }, { 189996, 1, 0 }, { 190000, 3, 1 },
		{ 190004, 3, 2 }, { 190008, 1, 1 }, { 280004, 1, 1 }, { 380004, 2, 2 },
	};
	/* Yes below no; the penalised likelihood is not concave on the way to its top. */
	static const struct quantal_point shoulder[] = { { 0, 1, 1 }, { 1, 1, 1 }, { 2, 2, 0 },
							 { 3, 1, 0 }, { 5, 1, 0 }, { 7, 2, 0 } };
	struct quantal_logistic f;

	quantal_fit_logistic(p, N(p), &f);
	ok(isfinite(f.slope), "a crowd of doses 4 apart among others 100000 away: converged");
	is_near(f.ed50, 190002, 1e-3, "ED50 in the middle of the crowd");
	is_near(f.profile.lo + f.profile.hi, 2 * 190002, 1e-2, "its interval symmetric");
	ok(f.profile.lo < 190000 && f.profile.lo > 0, "and wider than the crowd, but not without end");
	quantal_fit_logistic(shoulder, N(shoulder), &f);
	ok(f.slope < 0, "a penalised likelihood that is not concave: converged");
}

static void expect_same(const struct quantal_logistic *f, const struct quantal_logistic *g, double zero,
			double scale, const char *what)
{
	double t = 1e-6 * fabs(scale);
	/* A dose that runs the other way exchanges the ends. */
	double lo = zero + scale * f->profile.lo, hi = zero + scale * f->profile.hi;

	ok(fabs(g->ed50 - zero - scale * f->ed50) < t && fabs(g->profile.lo - fmin(lo, hi)) < t &&
		   fabs(g->profile.hi - fmax(lo, hi)) < t &&
		   fabs(g->slope * fabs(scale) / f->slope - 1) < 1e-6,
	   what);
}

static void test_invariance(void)
{
	struct quantal_point p[N(beetles) * 2 + 1];
	struct quantal_logistic f, g;

	quantal_fit_logistic(beetles, N(beetles), &f);
	for (size_t i = 0; i < N(beetles); i++)
		p[i] = (struct quantal_point){ 190000 + 2000 * beetles[i].dose, beetles[i].n,
					       beetles[i].yes };
	quantal_fit_logistic(p, N(beetles), &g);
	expect_same(&f, &g, 190000, 2000, "another unit and zero of the dose: the same fit");
	for (size_t i = 0; i < N(beetles); i++)
		p[i] = (struct quantal_point){ -beetles[i].dose, beetles[i].n,
					       beetles[i].n - beetles[i].yes };
	quantal_fit_logistic(p, N(beetles), &g);
	expect_same(&f, &g, 0, -1, "yes for no and the dose reversed: the same fit");

	/* From the last dose to the first, each in two parts, one of them not whole. */
	for (size_t i = 0; i < N(beetles); i++) {
		const struct quantal_point *b = &beetles[N(beetles) - 1 - i];

		p[2 * i] = (struct quantal_point){ b->dose, b->n / 3, b->yes / 3 };
		p[2 * i + 1] = (struct quantal_point){ b->dose, b->n - b->n / 3, b->yes - b->yes / 3 };
	}
	p[2 * N(beetles)] = (struct quantal_point){ 100, 0, 0 };
	quantal_fit_logistic(p, N(p), &g);
	expect_same(&f, &g, 0, 1, "unsorted, in parts, and a dose with no answers: the same fit");
}

static void test_falling(void)
{
	static const struct quantal_point p[] = { { 1, 10, 8 }, { 2, 10, 5 }, { 3, 10, 1 } };
	static const struct quantal_point flat[] = { { 1, 10, 5 }, { 2, 10, 5 } };
	static const struct quantal_point reversed[] = { { 1, 1, 1 }, { 2, 1, 0 } };
	struct quantal_logistic f;

	quantal_fit_logistic(p, N(p), &f);
	ok(f.slope < 0, "a response that falls has a curve");
	ok(isnan(f.ed50) && is_no_interval(f.profile), "but no ED50");
	quantal_fit_logistic(flat, N(flat), &f);
	ok(isfinite(f.slope) && isnan(f.ed50), "nor has one that is level");
	quantal_fit_logistic(reversed, N(reversed), &f);
	ok(f.slope < 0 && isnan(f.ed50), "nor one yes below one no");
}

static void test_degenerate(void)
{
	static const struct {
		struct quantal_point p[3];
		enum quantal_separation separation;
		double isotonic;
		const char *what;
	} cases[] = {
		{ { { 1, 2, 0 }, { 2, 2, 0 }, { 3, 2, 0 } }, QUANTAL_ONE_SIDED, NAN, "all no" },
		{ { { 1, 2, 2 }, { 2, 2, 2 }, { 3, 2, 2 } }, QUANTAL_ONE_SIDED, NAN, "all yes" },
		{ { { 1, 0, 0 }, { 2, 0, 0 }, { 3, 0, 0 } }, QUANTAL_ONE_SIDED, NAN, "nobody asked" },
		{ { { 1, 3, 1 }, { 1, 1, 0 }, { 1, 1, 0 } }, QUANTAL_OVERLAP, NAN, "one dose, mostly no" },
		{ { { 1, 3, 3 }, { 1, 1, 0 }, { 1, 2, 0 } }, QUANTAL_OVERLAP, 1, "one dose, half of them" },
	};
	struct quantal_logistic f;
	struct quantal_isotonic i;

	for (size_t c = 0; c < N(cases); c++) {
		quantal_fit_logistic(cases[c].p, 3, &f);
		quantal_fit_isotonic(cases[c].p, 3, rng, &i);
		ok(is_no_fit(&f), cases[c].what);
		is_int(quantal_separation(cases[c].p, 3), cases[c].separation, "its separation");
		ok(isnan(cases[c].isotonic)
			   ? isnan(i.ed50) && is_no_interval(i.ci)
			   : fabs(i.ed50 - cases[c].isotonic) < 1e-12 && interval_has(i.ci, i.ed50),
		   "its isotonic ED50");
	}
	quantal_fit_logistic(NULL, 0, &f);
	quantal_fit_isotonic(NULL, 0, rng, &i);
	ok(is_no_fit(&f) && isnan(i.ed50), "no points");
	is_int(quantal_separation(NULL, 0), QUANTAL_ONE_SIDED, "say nothing of where ED50 is");

	/* Yes and no at one dose, all no below, all yes above: a step there is likeliest of all. */
	static const struct quantal_point touching[] = { { 1, 3, 0 }, { 2, 4, 2 }, { 3, 3, 3 } };

	quantal_fit_logistic(touching, 3, &f);
	is_near(f.ed50, 2, 1e-8, "yes and no meet at one dose: ED50 is that dose");
	is_int(quantal_separation(touching, 3), QUANTAL_OVERLAP, "it is an overlap");
	quantal_fit_isotonic(touching, 3, rng, &i);
	is_near(i.ed50, 2, 1e-12, "and the isotonic ED50 is that dose");
	ok(i.ci.lo < 2 && i.ci.hi > 2, "with an interval around it");
}

static double isotonic_ed50(const struct quantal_point *p, size_t n)
{
	struct quantal_isotonic i;

	quantal_fit_isotonic(p, n, rng, &i);
	return i.ed50;
}

static void test_isotonic(void)
{
	/* 0.4 and 0.3 become 0.35 at 2.5; to 0.6 at 4 it is 1.5, of which a half is at 3/5. */
	static const struct quantal_point pooled[] = {
		{ 1, 10, 1 }, { 2, 10, 4 }, { 3, 10, 3 }, { 4, 10, 6 }, { 5, 10, 9 }
	};
	/* 2 of 2 and 1 of 6 become 3 of 8 at 2 + 6/8; to 1 at 4 it is 1.25, of which a half is at 1/5. */
	static const struct quantal_point weighted[] = { { 1, 4, 0 }, { 2, 2, 2 }, { 3, 6, 1 }, { 4, 4, 4 } };
	/* 1 of 2 twice: a level piece at a half. */
	static const struct quantal_point level[] = { { 1, 2, 0 }, { 2, 2, 1 }, { 4, 2, 1 }, { 7, 2, 2 } };
	/* 0.25 twice is one pool at 2.5, but the zeros below and the ones above stay where they are. */
	static const struct quantal_point equal[] = { { 0, 9, 0 }, { 1, 9, 0 }, { 2, 4, 1 },
						      { 3, 4, 1 }, { 4, 4, 4 }, { 9, 4, 4 } };
	static const struct quantal_point never[] = { { 1, 10, 1 }, { 2, 10, 4 }, { 3, 10, 3 } };
	static const struct quantal_point always[] = { { 1, 10, 6 }, { 2, 10, 9 } };
	static const struct quantal_point falling[] = { { 1, 1, 1 }, { 2, 1, 0 } };
	static const struct quantal_point gap[] = { { 5, 1, 1 }, { 1, 1, 0 }, { 8, 1, 1 }, { 2, 3, 0 } };
	struct quantal_isotonic i, again;

	is_near(isotonic_ed50(pooled, N(pooled)), 2.5 + 1.5 * 3 / 5, 1e-12,
		"a violation: pooled and centred");
	is_near(isotonic_ed50(weighted, N(weighted)), 2.75 + 1.25 / 5, 1e-12, "the centre is a weighted one");
	is_near(isotonic_ed50(level, N(level)), 3, 1e-12, "a level piece at a half: its middle");
	is_near(isotonic_ed50(equal, N(equal)), 2.5 + 1.5 / 3, 1e-12,
		"equal shares are one pool, but not of 0 or 1");
	ok(isnan(isotonic_ed50(never, N(never))), "a curve that stays below a half has no ED50");
	ok(isnan(isotonic_ed50(always, N(always))), "nor has one that begins above it");
	is_near(isotonic_ed50(falling, N(falling)), 1.5, 1e-12, "yes below no: one pool, of a half");

	quantal_fit_isotonic(gap, N(gap), rng, &i);
	is_near(i.ed50, 3.5, 1e-12, "separated: the middle of the gap");
	ok(i.ci.lo >= 2 && i.ci.lo <= 2 && i.ci.hi >= 5 && i.ci.hi <= 5, "with the gap as interval");

	gsl_rng_set(rng, 7);
	quantal_fit_isotonic(pooled, N(pooled), rng, &i);
	ok(1 <= i.ci.lo && i.ci.lo < i.ed50 && i.ed50 < i.ci.hi && i.ci.hi <= 5,
	   "overlap: an interval among the doses");
	gsl_rng_set(rng, 7);
	quantal_fit_isotonic(pooled, N(pooled), rng, &again);
	ok(again.ci.lo >= i.ci.lo && again.ci.lo <= i.ci.lo && again.ci.hi >= i.ci.hi &&
		   again.ci.hi <= i.ci.hi,
	   "the same seed: the same interval");
	static const struct quantal_point sure[] = {
		{ 1, 100, 0 }, { 2, 100, 5 }, { 3, 100, 80 }, { 4, 100, 100 }
	};

	quantal_fit_isotonic(sure, N(sure), rng, &i);
	is_near(i.ed50, 2.6, 1e-12, "sure of both shares: ED50 on the line between them");
	ok(i.ci.lo >= 2 && i.ci.lo <= 2 && i.ci.hi >= 3 && i.ci.hi <= 3,
	   "but nothing is known of where in the gap");
	quantal_fit_isotonic(beetles, N(beetles), rng, &i);
	is_near(i.ed50, 1.7842, 1e-12, "beetles: 28 of 56");
	is_near((i.ci.hi + i.ci.lo) / 2, 1.7717, 0.01, "an interval near that of the curve");
	ok(i.ci.hi - i.ci.lo < 0.04, "and not much wider");
}

/* --- The second opinions on Z*, and what ramps differ by */

#define ANSWERS 8

/* No at 97 to 100, yes at 101 to 104, and a ramp, which is none of them. */
static const struct search_probe probes[ANSWERS + 1] = {
	{ false, 97, false },  { false, 98, false }, { false, 99, false },
	{ false, 100, false }, { false, 101, true }, { false, 102, true },
	{ false, 103, true },  { false, 104, true }, { true, 500, true },
};

static struct threshold_check check(size_t n, double lo_kib, double hi_kib)
{
	struct search_estimate estimate = { .ci_kib = { lo_kib, hi_kib } };
	struct threshold_check c;

	threshold_check(probes, n, &estimate, 1, &c);
	return c;
}

static void test_check(void)
{
	struct threshold_check c = check(ANSWERS + 1, 100, 101);

	ok(c.separation == QUANTAL_COMPLETE, "the ramp is no answer");
	is_near(c.logistic.ed50, 100.5, 1e-6, "logistic");
	is_near(c.isotonic.ed50, 100.5, 1e-12, "isotonic");
	ok(!c.is_contrary, "the same interval is not contrary");

	/* Firth's interval is some doses wide, that of separated answers the gap between them. */
	c = check(ANSWERS + 1, 101.1, 101.2);
	ok(interval_has(c.logistic.profile, 101.15) && c.is_contrary, "the isotonic one alone contradicts");
	c = check(ANSWERS + 1, 99.8, 99.9);
	ok(c.is_contrary, "from above, too");
	c = check(ANSWERS + 1, 90, 110);
	ok(!c.is_contrary, "a wide interval has theirs in it");
	c = check(4, 200, 201);
	ok(c.separation == QUANTAL_ONE_SIDED && !c.is_contrary, "no opinion does not contradict");
}

/* The isotonic interval ends where doses do, the logistic one does not. */
static void test_logistic_contradicts(void)
{
	struct search_probe many[80];
	struct search_estimate estimate = { .ci_kib = { 100.9, 101 } };
	struct threshold_check c;

	/* At 100 a yes in 4, at 101 all of 40: half is reached at 100.33 by lines. */
	for (unsigned i = 0; i < 80; i++)
		many[i] = (struct search_probe){ false, i < 40 ? 100 : 101, i >= 40 || i % 4 == 0 };
	threshold_check(many, 80, &estimate, 1, &c);
	ok(c.logistic.profile.hi < 100.9 && interval_has(c.isotonic.ci, 101) && c.is_contrary,
	   "the logistic one alone contradicts");
}

static void test_ramps(void)
{
	static const double onsets[] = { 100, 102, 104 };
	struct threshold_ramps r = threshold_ramps(onsets, 3, 1.2);

	is_near(r.sd_kib, 2, 1e-12, "standard deviation of ramps");
	is_near(r.within_boot_kib, 0.34641016, 1e-8, "a step's share, as of an even distribution");
	is_near(r.between_boots_kib, sqrt(4 - 0.12), 1e-12, "the rest is between boots");
	r = threshold_ramps(onsets, 3, 12);
	is_near(r.between_boots_kib, 0, 0, "which is nothing when a step explains all");
	r = threshold_ramps(onsets, 1, 1.2);
	ok(isnan(r.sd_kib) && isnan(r.between_boots_kib) && r.within_boot_kib > 0,
	   "of one ramp only its step is known");
}

static void set_up(void)
{
	rng = gsl_rng_alloc(gsl_rng_mt19937);
}

static void tear_down(void)
{
	gsl_rng_free(rng);
}

TAP_MAIN(set_up, test_beetles, test_two_doses, test_profile, test_separated, test_crowd, test_invariance,
	 test_falling, test_degenerate, test_isotonic, test_check, test_logistic_contradicts, test_ramps,
	 tear_down)
