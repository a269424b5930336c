/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The logistic curve, by maximum likelihood or with Firth's penalty (Biometrika 80, 1993, 27-38; for logistic
 * regression: Heinze & Schemper, Statistics in Medicine 21, 2002, 2409-2419).
 *
 * What it cannot show: that the curve is logistic. The deviance says so only with many answers a dose, and
 * intervals by Fieller's theorem and by the delta method are right only for many answers. Firth's penalty
 * likes curves that are so flat that doses far from ED50 still carry information: of a dozen answers, of
 * which some are far away, it makes wide intervals rather than wrong ones.
 */
#include <math.h>

#include "calibrate/stats/quantal-internal.h"
#include "calibrate/stats/quantal.h"
#include "harness/base/cleanup.h"

/* Some 10 steps are usual. */
#define MAX_STEPS    500
#define MAX_HALVINGS 50

/*
 * What a step promises, in units of the log likelihood; its root is about the way to the top in standard
 * errors. Done when that is 1e-10, or 1e-6 when rounding allows no more. Below NEAR, the likelihood's own
 * digits cannot tell higher from lower, but scores can.
 */
#define PROMISE_DONE   1e-20
#define PROMISE_ENOUGH 1e-12
#define PROMISE_NEAR   1e-9

/* A step must keep this share of its promise; one to the top of a parabola keeps a half. */
#define KEPT 0.1

/* A maximum found, in units of the standardised dose. */
struct logit_fit {
	double a, b;
	double var_a, var_b, cov;
};

struct step {
	double a, b;
	double promise;
};

/*
 * Newton's. Where the penalised likelihood is not concave, which it need not be away from its top, Fisher's,
 * which always leads upwards.
 */
static struct step find_step(const struct logit_terms *t)
{
	bool is_concave = t->c_aa > 0 && t->c_aa * t->c_bb > t->c_ab * t->c_ab;
	double c_aa = is_concave ? t->c_aa : t->i_aa, c_bb = is_concave ? t->c_bb : t->i_bb;
	double c_ab = is_concave ? t->c_ab : 0, det = c_aa * c_bb - c_ab * c_ab;
	double mean = (c_bb * t->score_a - c_ab * t->score_b) / det;
	double b = (c_aa * t->score_b - c_ab * t->score_a) / det;

	return (struct step){ mean - b * t->x_mean, b, mean * t->score_a + b * t->score_b };
}

/* The size of the scores by a measure that does not depend on the unit of the dose. */
static double score_size(const struct logit_terms *t, const struct logit_terms *unit)
{
	return t->score_a * t->score_a / unit->i_aa + t->score_b * t->score_b / unit->i_bb;
}

static bool is_better(const struct logit_terms *t, const struct logit_terms *next, double promise)
{
	if (promise > PROMISE_NEAR)
		return next->objective >= t->objective + KEPT * promise;
	return score_size(next, t) < score_size(t, t);
}

/* Takes the step, halved until it is one upwards. */
static bool climb(const struct logit_data *d, struct step step, double *a, double *b, struct logit_terms *t)
{
	for (int i = 0; i < MAX_HALVINGS; i++) {
		struct logit_terms next;

		logit_evaluate(d, *a + step.a, *b + step.b, &next);
		if (is_better(t, &next, step.promise)) {
			*a += step.a;
			*b += step.b;
			*t = next;
			return true;
		}
		step = (struct step){ step.a / 2, step.b / 2, step.promise / 2 };
	}
	return false;
}

static struct logit_fit describe(double a, double b, const struct logit_terms *t)
{
	return (struct logit_fit){
		.a = a,
		.b = b,
		.var_a = 1 / t->i_aa + t->x_mean * t->x_mean / t->i_bb,
		.var_b = 1 / t->i_bb,
		.cov = -t->x_mean / t->i_bb,
	};
}

static bool maximize(const struct logit_data *d, struct logit_fit *ret)
{
	double a = 0, b = 0;
	struct logit_terms t;

	logit_evaluate(d, a, b, &t);
	for (int i = 0; i < MAX_STEPS && t.i_bb > 0; i++) {
		struct step step = find_step(&t);

		if (step.promise >= PROMISE_DONE && climb(d, step, &a, &b, &t))
			continue;
		if (!(step.promise < PROMISE_ENOUGH))
			return false;
		*ret = describe(a, b, &t);
		return true;
	}
	return false;
}

/*
 * Fieller (J. R. Stat. Soc. B 16, 1954, 175-185): all x for which a + b x differs from 0 by no more than
 * chance, the roots of a quadratic equation. When b itself may be 0 the set is open: then it is the part that
 * b > 0 gives, which is the one that holds the estimate.
 */
static struct interval fieller(const struct logit_fit *f)
{
	double z = dist_normal_quantile(0.975), z2 = z * z;
	double qa = f->b * f->b - z2 * f->var_b;
	double qb = f->a * f->b - z2 * f->cov;
	double qc = f->a * f->a - z2 * f->var_a;
	double discriminant = qb * qb - qa * qc;

	if (qa > 0) {
		/* The estimate is between the roots, so below 0 is rounding. */
		double root = sqrt(discriminant > 0 ? discriminant : 0);

		return (struct interval){ (-qb - root) / qa, (-qb + root) / qa };
	}
	if (qa >= 0 || discriminant <= 0)
		return (struct interval){ -(double)INFINITY, (double)INFINITY };

	double root = sqrt(discriminant), lo = (-qb + root) / qa, hi = (-qb - root) / qa;

	return -f->a / f->b >= hi ? (struct interval){ hi, (double)INFINITY }
				  : (struct interval){ -(double)INFINITY, lo };
}

/* Doses become (dose - mean) / sd; false when there is but one dose. */
static bool standardize(struct quantal_data *d, double *ret_mean, double *ret_sd)
{
	double mean = 0, square = 0;

	if (d->n < 2)
		return false;
	/* From the first dose on: doses are large, their differences small. */
	for (size_t i = 0; i < d->n; i++)
		mean += d->points[i].n / d->n_sum * (d->points[i].dose - d->points[0].dose);
	mean += d->points[0].dose;
	for (size_t i = 0; i < d->n; i++)
		square += d->points[i].n / d->n_sum * pow(d->points[i].dose - mean, 2);
	*ret_mean = mean;
	*ret_sd = sqrt(square);
	for (size_t i = 0; i < d->n; i++)
		d->points[i].dose = (d->points[i].dose - mean) / *ret_sd;
	return *ret_sd > 0 && isfinite(*ret_sd);
}

/*
 * Without a penalty there is a maximum only when a yes is below a no, and a no below a yes (Albert &
 * Anderson, Biometrika 71, 1984, 1-10): otherwise a steeper curve is always likelier.
 */
static bool has_maximum(const struct quantal_data *d, bool is_penalised)
{
	if (isnan(d->yes_lo) || isnan(d->no_lo))
		return false;
	return is_penalised || (d->yes_lo < d->no_hi && d->no_lo < d->yes_hi);
}

static struct interval scaled(struct interval i, double mean, double sd)
{
	return (struct interval){ mean + sd * i.lo, mean + sd * i.hi };
}

static const struct quantal_logistic none = {
	.intercept = NAN,
	.slope = NAN,
	.intercept_se = NAN,
	.slope_se = NAN,
	.covariance = NAN,
	.deviance = NAN,
	.ed50 = NAN,
	.ed50_se = NAN,
	.fieller = { NAN, NAN },
	.profile = { NAN, NAN },
};

void quantal_fit_logistic(const struct quantal_point *points, size_t n, bool is_penalised,
			  struct quantal_logistic *ret)
{
	struct quantal_data d cleanup_quantal_data;
	double mean, sd;
	struct logit_fit f;

	*ret = none;
	quantal_data_init(&d, points, n);
	if (!has_maximum(&d, is_penalised) || !standardize(&d, &mean, &sd))
		return;

	struct logit_data l = { d.points, d.n, is_penalised };
	double m = mean / sd;

	if (!maximize(&l, &f))
		return;
	ret->is_converged = true;
	ret->slope = f.b / sd;
	ret->intercept = f.a - f.b * m;
	ret->slope_se = sqrt(f.var_b) / sd;
	ret->intercept_se = sqrt(f.var_a - 2 * m * f.cov + m * m * f.var_b);
	ret->covariance = (f.cov - m * f.var_b) / sd;
	ret->deviance = logit_deviance(&l, f.a, f.b);

	/* Of a curve that falls, half is not where swapping begins. */
	if (f.b <= 0)
		return;

	double e = -f.a / f.b;

	ret->ed50 = mean + sd * e;
	ret->ed50_se = sd * sqrt(f.var_a + 2 * e * f.cov + e * e * f.var_b) / f.b;
	ret->fieller = scaled(fieller(&f), mean, sd);
	ret->profile = scaled(logit_profile_interval(&l, f.a, f.b), mean, sd);
}
