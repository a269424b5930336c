/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The likelihood of a logistic curve and its derivatives, with and without Firth's penalty (Biometrika 80,
 * 1993, 27-38).
 */
#include <math.h>

#include "calibrate/stats/quantal-internal.h"

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

/* The likelihood, its scores, and the mean dose. */
static void sum_answers(const struct logit_data *d, double a, double b, struct logit_terms *t)
{
	double mean_residual = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct quantal_point *p = &d->points[i];
		double logit = a + b * p->dose, w = weight(p->n, logit);
		/* Without a difference of numbers near 1. */
		double residual = p->yes * share(-logit) - (p->n - p->yes) * share(logit);

		t->objective += p->yes * log_share(logit) + (p->n - p->yes) * log_share(-logit);
		t->score_a += residual;
		mean_residual += residual * p->dose;
		t->i_aa += w;
		t->x_mean += w * p->dose;
	}
	/* So steep that all shares are 0 or 1 in a double: any mean will do. */
	t->x_mean = t->i_aa > 0 ? t->x_mean / t->i_aa : 0;
	t->score_b = mean_residual - t->x_mean * t->score_a;
}

/* Sums over doses of their weights' derivatives by the logit, times powers of the distance from the mean
 * dose. */
struct moments {
	double w[5], w1[5], w2[5];
};

static void sum_moments(const struct logit_data *d, double a, double b, double x_mean, struct moments *m)
{
	for (size_t i = 0; i < d->n; i++) {
		double dx = d->points[i].dose - x_mean, logit = a + b * d->points[i].dose;
		double p = share(logit), q = share(-logit), power = d->points[i].n * p * q;

		for (int k = 0; k < 5; k++) {
			m->w[k] += power;
			m->w1[k] += power * (q - p);
			m->w2[k] += power * (1 - 6 * p * q);
			power *= dx;
		}
	}
}

/*
 * Adds Firth's penalty, (log D) / 2 with D the determinant of the information, and its derivatives. About
 * x_mean the information has no element off the diagonal, so D = S0 S2 with Sk the sum of w dx^k; its
 * derivatives have other elements too.
 */
static void add_penalty(const struct moments *m, struct logit_terms *t)
{
	double s0 = m->w[0], s2 = m->w[2], s02 = s0 * s2;
	const double *w1 = m->w1, *w2 = m->w2;
	double by_a = w1[0] / s0 + w1[2] / s2, by_b = w1[1] / s0 + w1[3] / s2;
	double by_aa = w2[0] / s0 + w2[2] / s2 + 2 * (w1[0] * w1[2] - w1[1] * w1[1]) / s02;
	double by_ab = w2[1] / s0 + w2[3] / s2 + (w1[0] * w1[3] - w1[1] * w1[2]) / s02;
	double by_bb = w2[2] / s0 + w2[4] / s2 + 2 * (w1[1] * w1[3] - w1[2] * w1[2]) / s02;

	t->objective += (log(s0) + log(s2)) / 2;
	t->score_a += by_a / 2;
	t->score_b += by_b / 2;
	t->c_aa -= (by_aa - by_a * by_a) / 2;
	t->c_ab -= (by_ab - by_a * by_b) / 2;
	t->c_bb -= (by_bb - by_b * by_b) / 2;
}

void logit_evaluate(const struct logit_data *d, double a, double b, struct logit_terms *ret)
{
	struct logit_terms t = { 0 };
	struct moments m = { 0 };

	sum_answers(d, a, b, &t);
	sum_moments(d, a, b, t.x_mean, &m);
	t.i_bb = m.w[2];
	t.c_aa = t.i_aa;
	t.c_bb = t.i_bb;
	if (d->is_penalised && t.i_aa * t.i_bb > 0)
		add_penalty(&m, &t);
	else if (d->is_penalised)
		t.objective = -(double)INFINITY;
	*ret = t;
}

static double deviance_part(double seen, double log_expected_share, double n)
{
	return seen > 0 ? 2 * seen * (log(seen / n) - log_expected_share) : 0;
}

double logit_deviance(const struct logit_data *d, double a, double b)
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
