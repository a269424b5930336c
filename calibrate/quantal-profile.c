/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The interval of ED50 by its profile likelihood. With logit P(yes) = b (dose - e) the likelihood is a
 * function of ED50 = e and of b; for each e it is maximised over b > 0, and e is in the interval when twice
 * the loss against the maximum is below the 95 % quantile of chi2 with one degree of freedom. Heinze &
 * Schemper (Statistics in Medicine 21, 2002, 2409-2419) do the same to a likelihood with Firth's penalty.
 *
 * The unpenalised likelihood is log-concave, so what is not rejected is one interval, and the profile can be
 * walked outward from its top. With the penalty that is not proven but was never seen otherwise.
 */
#include <math.h>

#include "calibrate/quantal-internal.h"

/* Standardised doses are within some units of 0; an ED50 out there is as good as none. */
#define FARTHEST 1e6

/* The first 40 of the 52 binary digits of a double are more than enough. */
#define HALVINGS 40

/* Standardised: where the walk outward begins, below the width of any interval worth having. */
#define FIRST_STEP 0.01

static double slope_score(const struct logit_data *d, double e, double b, double *ret_objective)
{
	struct logit_terms t;

	logit_evaluate(d, -b * e, b, &t);
	*ret_objective = t.objective;
	return t.score_b - e * t.score_a;
}

/* The highest likelihood with ED50 = e, over b >= 0. near is where to look first. */
static double profile(const struct logit_data *d, double e, double near)
{
	double lo = 0, hi = near, objective;

	/* Rises no more from b = 0 on: a half is likeliest everywhere. */
	if (slope_score(d, e, 0, &objective) <= 0)
		return objective;
	while (slope_score(d, e, hi, &objective) > 0 && isfinite(hi)) {
		lo = hi;
		hi *= 2;
	}
	for (int i = 0; i < HALVINGS; i++) {
		double middle = (lo + hi) / 2;

		if (slope_score(d, e, middle, &objective) > 0)
			lo = middle;
		else
			hi = middle;
	}
	return objective;
}

/* From the top to one side: where the profile falls below the target. */
static double find_end(const struct logit_data *d, double e, double b, double target, double direction)
{
	double near = 0, far = FIRST_STEP;

	while (profile(d, e + direction * far, b) >= target) {
		near = far;
		far *= 2;
		if (far > FARTHEST)
			return direction * (double)INFINITY;
	}
	for (int i = 0; i < HALVINGS; i++) {
		double middle = (near + far) / 2;

		if (profile(d, e + direction * middle, b) >= target)
			near = middle;
		else
			far = middle;
	}
	return e + direction * (near + far) / 2;
}

struct interval logit_profile_interval(const struct logit_data *d, double a, double b)
{
	double e = -a / b;
	struct logit_terms top;

	logit_evaluate(d, a, b, &top);

	double target = top.objective - dist_chi2_quantile(0.95, 1) / 2;

	return (struct interval){ find_end(d, e, b, target, -1), find_end(d, e, b, target, 1) };
}
