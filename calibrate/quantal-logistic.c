/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The logistic curve, by maximum likelihood or with Firth's penalty (Biometrika 80, 1993, 27-38; for logistic
 * regression: Heinze & Schemper, Statistics in Medicine 21, 2002, 2409-2419).
 *
 * What it cannot show: that the curve is logistic. The deviance says so only with many answers a dose, and
 * intervals by Fieller's theorem and by the delta method are right only for many answers.
 */
#include <assert.h>
#include <math.h>

#include "calibrate/quantal-internal.h"
#include "calibrate/quantal.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

/* Maximum likelihood needs about 8 steps. Fisher scoring is not Newton's method for the penalised one:
 * some 30. */
#define MAX_STEPS    500
#define MAX_HALVINGS 50

/* Stop when a step would move the estimate by this share of its standard error, squared. */
#define CONVERGED_DECREMENT 1e-20

/* log P(yes) of a logit, without overflow. */
static double log_share(double logit)
{
	return logit < 0 ? logit - log1p(exp(logit)) : -log1p(exp(-logit));
}

static double share(double logit)
{
	return 1 / (1 + exp(-logit));
}

/* The weight of a dose in the information. 1 - p is exact also where p is nearly 1. */
static double weight(double n, double logit)
{
	return n * share(logit) * share(-logit);
}

void logit_evaluate(const struct logit_data *d, double a, double b, struct logit_terms *ret)
{
	struct logit_terms t = { 0 };

	for (size_t i = 0; i < d->n; i++) {
		const struct quantal_point *p = &d->points[i];
		double logit = a + b * p->dose, w = weight(p->n, logit);

		t.objective += p->yes * log_share(logit) + (p->n - p->yes) * log_share(-logit);
		t.i_aa += w;
		t.i_ab += w * p->dose;
		t.i_bb += w * p->dose * p->dose;
	}
	t.det = t.i_aa * t.i_bb - t.i_ab * t.i_ab;
	if (d->is_penalised)
		t.objective += t.det > 0 ? 0.5 * log(t.det) : -(double)INFINITY;

	for (size_t i = 0; i < d->n; i++) {
		const struct quantal_point *p = &d->points[i];
		double x = p->dose, logit = a + b * x, residual = p->yes - p->n * share(logit);

		/* Firth: the leverage h of a dose is divided among a yes and a no. */
		if (d->is_penalised && t.det > 0) {
			double h = weight(p->n, logit) * (t.i_bb - 2 * x * t.i_ab + x * x * t.i_aa) / t.det;

			residual += h * (0.5 - share(logit));
		}
		t.score_a += residual;
		t.score_b += residual * x;
	}
	*ret = t;
}

/* A maximum found, in units of the standardised dose. */
struct logit_fit {
	double a, b;
	double var_a, var_b, cov;
};

/* From (0, 0), Fisher scoring; a step is halved until it climbs. */
static bool maximize(const struct logit_data *d, struct logit_fit *ret)
{
	double a = 0, b = 0;
	struct logit_terms t;

	logit_evaluate(d, a, b, &t);
	for (int i = 0; i < MAX_STEPS && t.det > 0; i++) {
		double step_a = (t.i_bb * t.score_a - t.i_ab * t.score_b) / t.det;
		double step_b = (t.i_aa * t.score_b - t.i_ab * t.score_a) / t.det;
		double decrement = step_a * t.score_a + step_b * t.score_b;
		struct logit_terms next;

		if (decrement < CONVERGED_DECREMENT) {
			*ret = (struct logit_fit){ a, b, t.i_bb / t.det, t.i_aa / t.det, -t.i_ab / t.det };
			return true;
		}
		for (int k = 0;; k++) {
			logit_evaluate(d, a + step_a, b + step_b, &next);
			/* Near the top the sum's last digits do not climb any more. */
			if (next.objective >= t.objective - 1e-13 * fabs(t.objective))
				break;
			if (k == MAX_HALVINGS)
				return false;
			step_a /= 2;
			step_b /= 2;
		}
		a += step_a;
		b += step_b;
		t = next;
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

static double deviance_part(double seen, double log_expected_share, double n)
{
	return seen > 0 ? 2 * seen * (log(seen / n) - log_expected_share) : 0;
}

static double deviance(const struct logit_data *d, double a, double b)
{
	double sum = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct quantal_point *p = &d->points[i];
		double logit = a + b * p->dose;

		sum += deviance_part(p->yes, log_share(logit), p->n) +
		       deviance_part(p->n - p->yes, log_share(-logit), p->n);
	}
	return sum;
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
	ret->deviance = deviance(&l, f.a, f.b);

	/* Of a curve that falls, half is not where swapping begins. */
	if (f.b <= 0)
		return;

	double e = -f.a / f.b;

	ret->ed50 = mean + sd * e;
	ret->ed50_se = sd * sqrt(f.var_a + 2 * e * f.cov + e * e * f.var_b) / f.b;
	ret->fieller = scaled(fieller(&f), mean, sd);
	ret->profile = scaled(logit_profile_interval(&l, f.a, f.b), mean, sd);
}
