/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/stats/distribution.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_integration.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_roots.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>

static bool is_share(double p)
{
	return p > 0 && p < 1;
}

/*
 * The domain is checked before GSL is asked: outside of it, and where it does not converge, GSL calls its
 * error handler, which ends the program unless it is switched off.
 */
static bool is_df(double df)
{
	gsl_set_error_handler_off();
	return df > 0 && isfinite(df);
}

double dist_normal_quantile(double p)
{
	return is_share(p) ? gsl_cdf_ugaussian_Pinv(p) : (double)NAN;
}

double dist_t_quantile(double p, double df)
{
	return is_share(p) && is_df(df) ? gsl_cdf_tdist_Pinv(p, df) : (double)NAN;
}

/* From here on the expansion is as exact as the tails are, and GSL's series for these are long, or end the
 * program. */
#define DF_MANY 1000

/* Cornish and Fisher's expansion: Goldberg & Levine 1946, Ann. Math. Stat. 17:216 (Abramowitz &
 * Stegun 26.2.49). */
static double chi2_expansion(double p, double df)
{
	double z = gsl_cdf_ugaussian_Pinv(p), z2 = z * z, root = sqrt(2 * df);

	return df + root * z + (z2 - 1) * 2 / 3 + z * (z2 - 7) / (9 * root) -
	       (z2 * (6 * z2 + 14) - 32) / (405 * df) + z * (z2 * (9 * z2 + 256) - 433) / (4860 * df * root) +
	       (z2 * (z2 * (12 * z2 - 243) - 923) + 1472) / (25515 * df * df);
}

/* How far x is above the quantile, in shares; each from the smaller tail, which has more digits. */
static double chi2_beyond(double x, double p, double df)
{
	return p < 0.5 ? gsl_cdf_chisq_P(x, df) - p : 1 - p - gsl_cdf_chisq_Q(x, df);
}

/*
 * GSL's own inverse sometimes does not converge, and then ends the program. This is Newton's method for log
 * x, between bounds that it cannot leave.
 */
static double chi2_newton(double p, double df)
{
	/* Wilson and Hilferty's approximation is the start. */
	double root = 1 - 2 / (9 * df) + gsl_cdf_ugaussian_Pinv(p) * sqrt(2 / (9 * df));
	double u = log(df) + 3 * log(fmax(root, 0.01)), lo = u, hi = u;

	for (double step = 0.01; chi2_beyond(exp(lo), p, df) > 0 && lo > -700; step *= 2)
		lo -= step;
	for (double step = 0.01; chi2_beyond(exp(hi), p, df) < 0 && hi < 15; step *= 2)
		hi += step;
	for (int i = 0; i < 64; i++) {
		double x = exp(u), beyond = chi2_beyond(x, p, df);
		double next = u - beyond / (x * gsl_ran_chisq_pdf(x, df));

		if (beyond > 0)
			hi = u;
		else
			lo = u;
		if (!(next >= lo && next <= hi))
			next = lo + (hi - lo) / 2;
		if (fabs(next - u) <= 1e-15 * fmax(1, fabs(u)))
			break;
		u = next;
	}
	return exp(u);
}

double dist_chi2_quantile(double p, double df)
{
	if (!is_share(p) || !is_df(df))
		return NAN;
	return df > DF_MANY ? chi2_expansion(p, df) : chi2_newton(p, df);
}

double dist_t_upper(double x, double df)
{
	return !isnan(x) && is_df(df) ? gsl_cdf_tdist_Q(x, df) : (double)NAN;
}

double dist_normal_upper(double x)
{
	return gsl_cdf_ugaussian_Q(x);
}

double dist_binomial_lower(unsigned found, double p, unsigned n)
{
	return p >= 0 && p <= 1 ? gsl_cdf_binomial_P(found, p, n) : (double)NAN;
}

double dist_share_least(size_t found, size_t n, double confidence)
{
	double lo = 0, hi = 1;

	if (!n || !is_share(confidence))
		return NAN;
	/* A quantile of the beta distribution; GSL's own inverse does not always converge. */
	for (int i = 0; found && i < 60; i++) {
		double middle = lo + (hi - lo) / 2;

		if (gsl_cdf_beta_P(middle, (double)found, (double)(n - found + 1)) < 1 - confidence)
			lo = middle;
		else
			hi = middle;
	}
	return lo;
}

/* Gauss and Legendre's: factors have 8 digits, but for those of 1 and 2 degrees of freedom, which have 5. */
#define NODES     48
#define NODES_FEW 128
#define DF_FEW    20

/*
 * In true standard deviations from the true mean, a sample's mean is m, normal with variance 1 / n, and its
 * standard deviation is u, with df u^2 chi-squared. Of a factor it is asked how likely m + factor u is below
 * z, or for both sides |m| + factor u.
 */
struct tolerance {
	double z, root_n, df, scale;
	double factor;
	bool is_both;
	double wanted; /* probability */
	double lo, hi; /* log u is between these, but for 1e-12 */
	gsl_integration_glfixed_table *nodes;
};

/* Of log u, as the largest value is 0. */
static double log_density(double log_u, double df)
{
	return df * (log_u - expm1(2 * log_u) / 2);
}

static double density_below(double log_u, void *arg)
{
	const struct tolerance *t = arg;
	double p = gsl_cdf_ugaussian_P(t->root_n * (t->z - t->factor * exp(log_u)));

	return t->scale * exp(log_density(log_u, t->df)) * (t->is_both ? 2 * p - 1 : p);
}

/* The probability less that wanted: a larger factor has a smaller one. */
static double excess(double factor, void *arg)
{
	struct tolerance *t = arg;
	gsl_function f = { density_below, t };
	double hi = t->is_both && factor > 0 ? fmin(t->hi, log(t->z / factor)) : t->hi;

	t->factor = factor;
	return (hi > t->lo ? gsl_integration_glfixed(&f, t->lo, hi, t->nodes) : 0) - t->wanted;
}

static double find_factor(struct tolerance *t)
{
	gsl_function f = { excess, t };
	gsl_root_fsolver *solver = gsl_root_fsolver_alloc(gsl_root_fsolver_brent);
	/* So much is usual for many values. */
	double step = 2 * sqrt(1 / (t->root_n * t->root_n) + t->z * t->z / (2 * t->df));
	double lo = t->z - step, hi = t->z + step, last = NAN, root = 0;

	for (double down = step; excess(lo, t) < 0; down *= 2)
		lo -= down;
	for (double up = step; excess(hi, t) > 0; up *= 2)
		hi += up;
	gsl_root_fsolver_set(solver, &f, lo, hi);
	for (int i = 0; i < 100 && !(fabs(root - last) <= 1e-10 * fabs(root)); i++) {
		last = root;
		gsl_root_fsolver_iterate(solver);
		root = gsl_root_fsolver_root(solver);
	}
	gsl_root_fsolver_free(solver);
	return root;
}

static double tolerance_factor(double z, double n, double df, double probability, bool is_both)
{
	if (!is_df(df) || !is_df(n))
		return NAN;

	struct tolerance t = {
		.z = z,
		.root_n = sqrt(n),
		.df = df,
		.is_both = is_both,
		/* The integral knows no more. */
		.wanted = fmin(fmax(probability, 1e-8), 1 - 1e-8),
		.nodes = gsl_integration_glfixed_table_alloc(df < DF_FEW ? NODES_FEW : NODES),
	};

	t.scale = sqrt(df / M_PI) / gsl_sf_gammastar(df / 2);
	while (log_density(t.lo, df) > -28)
		t.lo -= 0.5 / sqrt(df);
	while (log_density(t.hi, df) > -28)
		t.hi += 0.5 / sqrt(df);

	double factor = find_factor(&t);

	gsl_integration_glfixed_table_free(t.nodes);
	return factor;
}

double dist_tolerance_outer(double z, double n, double df, double confidence)
{
	return tolerance_factor(z, n, df, 1 - confidence, false);
}

double dist_tolerance_inner(double z, double n, double df, double confidence)
{
	return tolerance_factor(z, n, df, confidence, true);
}
