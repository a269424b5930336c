/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The interval of ED50 by its profile likelihood. With logit P(yes) = b (dose - e) the likelihood is a
 * function of ED50 = e and of b; for each e it is maximised over b > 0, and e is in the interval when twice
 * the loss against the maximum is below the 95 % quantile of chi2 with one degree of freedom. Heinze &
 * Schemper (Statistics in Medicine 21, 2002, 2409-2419) do the same to a likelihood with Firth's penalty.
 *
 * The unpenalised likelihood is log-concave, so what is not rejected is one interval, and the profile can be
 * walked outward from its top. With the penalty nobody has proven that; an interval then ends where the
 * profile is first rejected.
 */
#include <math.h>

#include "calibrate/stats/quantal-internal.h"

/* Standardised doses are within some units of 0; an ED50 out there is as good as none. */
#define FARTHEST 1e6

/* The walk outward begins where the logit differs by this: less than any interval worth having. */
#define FIRST_LOGIT 0.1

/* Of a root; some 10 steps are usual. */
#define TOLERANCE 1e-10
#define MAX_STEPS 100

struct context {
	const struct logit_data *d;
	double ed50;         /* of the top */
	double direction;    /* 1 or -1: the end looked for */
	double target;       /* the lowest likelihood that is not rejected */
	double slope;        /* of the top, where to look for others */
	double e, objective; /* the ED50 of a profile, and the likelihood at the slope asked last */
};

typedef double function(struct context *c, double x);

/*
 * The root of f between lo, where f is above 0, and hi, where it is not: regula falsi in its Illinois variant
 * (Dowell & Jarratt, BIT 11, 1971, 168-174), which halves the value of an end that stays. Each third step is
 * a bisection, so that no shape of f takes many.
 */
static double find_root(struct context *c, function *f, double lo, double f_lo, double hi, double f_hi)
{
	double x = lo;
	int stayed = 0;

	for (int i = 1; i <= MAX_STEPS && hi - lo > TOLERANCE * hi; i++) {
		x = i % 3 ? (lo * f_hi - hi * f_lo) / (f_hi - f_lo) : lo + (hi - lo) / 2;

		double f_x = f(c, x);

		/* Not a number either: there is nothing to find. */
		if (!(fabs(f_x) > 0))
			break;
		if (f_x > 0) {
			f_hi /= stayed == 1 ? 2 : 1;
			stayed = 1;
			lo = x;
			f_lo = f_x;
		} else {
			f_lo /= stayed == -1 ? 2 : 1;
			stayed = -1;
			hi = x;
			f_hi = f_x;
		}
	}
	return x;
}

/* The derivative of the likelihood by the slope b, with ED50 = e. */
static double slope_score(struct context *c, double b)
{
	struct logit_terms t;

	logit_evaluate(c->d, -b * c->e, b, &t);
	c->objective = t.objective;
	return t.score_b + (t.x_mean - c->e) * t.score_a;
}

/* How far the profile at that distance from its top is above the target. */
static double excess(struct context *c, double distance)
{
	/* Of an ED50 far away, b is so small that logits among the doses are some units. */
	double lo = 0, hi = fmin(c->slope, 1 / distance), f_lo, f_hi;

	c->e = c->ed50 + c->direction * distance;
	f_lo = slope_score(c, 0);
	/* Falls from b = 0 on: with this ED50, a half everywhere is likeliest. */
	if (f_lo <= 0)
		return c->objective - c->target;
	while ((f_hi = slope_score(c, hi)) > 0) {
		lo = hi;
		f_lo = f_hi;
		hi *= 2;
	}
	find_root(c, slope_score, lo, f_lo, hi, f_hi);
	return c->objective - c->target;
}

static double find_end(struct context *c, double direction)
{
	double near = 0, far = FIRST_LOGIT / c->slope, f_near = dist_chi2_quantile(0.95, 1) / 2, f_far;

	c->direction = direction;
	while ((f_far = excess(c, far)) > 0) {
		near = far;
		f_near = f_far;
		far *= 2;
		if (far > FARTHEST)
			return direction * (double)INFINITY;
	}
	return c->ed50 + direction * find_root(c, excess, near, f_near, far, f_far);
}

struct interval logit_profile_interval(const struct logit_data *d, double a, double b)
{
	struct context c = { .d = d, .ed50 = -a / b, .slope = b };
	struct logit_terms top;

	logit_evaluate(d, a, b, &top);
	c.target = top.objective - dist_chi2_quantile(0.95, 1) / 2;
	return (struct interval){ find_end(&c, -1), find_end(&c, 1) };
}
