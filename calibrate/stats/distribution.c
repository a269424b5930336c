/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/stats/distribution.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_randist.h>
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
