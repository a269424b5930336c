/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/distribution.h"

#include <float.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_randist.h>
#include <math.h>

static bool is_share(double p)
{
	return p > 0 && p < 1;
}

/*
 * The domain is checked before GSL is asked. Where it still finds no value it would end the program, so its
 * error handler is switched off, and the value is NAN.
 */
static bool is_df(double df)
{
	return df > 0 && isfinite(df);
}

double dist_normal_quantile(double p)
{
	gsl_set_error_handler_off();
	return is_share(p) ? gsl_cdf_ugaussian_Pinv(p) : (double)NAN;
}

double dist_t_quantile(double p, double df)
{
	gsl_set_error_handler_off();
	return is_share(p) && is_df(df) ? gsl_cdf_tdist_Pinv(p, df) : (double)NAN;
}

/*
 * By bisection: gsl_cdf_chisq_Pinv() of GSL 2.7 does not converge for some p where df is large, such as
 * 0.95051694279634624 with 99999.
 */
double dist_chi2_quantile(double p, double df)
{
	double lo = 0, hi = df + 1;

	gsl_set_error_handler_off();
	if (!is_share(p) || !is_df(df))
		return NAN;
	while (gsl_cdf_chisq_P(hi, df) < p)
		hi *= 2;
	while (hi - lo > 1e-14 * hi && hi > DBL_MIN) {
		double middle = lo + (hi - lo) / 2;

		*(gsl_cdf_chisq_P(middle, df) < p ? &lo : &hi) = middle;
	}
	return hi;
}

/* Points of the integral below: a smooth function over 20 standard deviations. */
#define POINTS 400

/*
 * The distribution of s = sqrt(chi2 / df) as points with probabilities, by Simpson's rule where there is any:
 * given s, noncentral t is normal.
 */
static void chi_points(double df, double s[POINTS + 1], double probability[POINTS + 1])
{
	double sd = 1 / sqrt(2 * df), lo = fmax(0, 1 - 10 * sd), hi = 1 + 10 * sd, sum = 0;

	for (int i = 0; i <= POINTS; i++) {
		int simpson = i == 0 || i == POINTS ? 1 : i % 2 ? 4 : 2;

		s[i] = lo + (hi - lo) * i / POINTS;
		/* With 1 degree of freedom the density of chi2 is infinite at 0, that of its root is not. */
		probability[i] = simpson * (s[i] > 0  ? s[i] * gsl_ran_chisq_pdf(df * s[i] * s[i], df)
					    : df == 1 ? 1 / sqrt(2 * M_PI)
						      : 0);
		sum += probability[i];
	}
	for (int i = 0; i <= POINTS; i++)
		probability[i] /= sum;
}

static double noncentral_t_below(double t, double delta, const double s[POINTS + 1],
				 const double probability[POINTS + 1])
{
	double sum = 0;

	for (int i = 0; i <= POINTS; i++)
		sum += probability[i] * gsl_cdf_ugaussian_P(t * s[i] - delta);
	return sum;
}

double dist_noncentral_t_quantile(double p, double df, double delta)
{
	double s[POINTS + 1], probability[POINTS + 1], lo = delta - 1, hi = delta + 1;

	if (!is_share(p) || !is_df(df) || !isfinite(delta))
		return NAN;
	chi_points(df, s, probability);

	for (double step = 1; noncentral_t_below(lo, delta, s, probability) > p; step *= 2)
		lo -= step;
	for (double step = 1; noncentral_t_below(hi, delta, s, probability) < p; step *= 2)
		hi += step;
	while (hi - lo > 1e-8 * fmax(1, fabs(hi))) {
		double middle = lo + (hi - lo) / 2;

		*(noncentral_t_below(middle, delta, s, probability) < p ? &lo : &hi) = middle;
	}
	return hi;
}

double dist_normal_upper(double x)
{
	return isnan(x) ? (double)NAN : gsl_cdf_ugaussian_Q(x);
}

double dist_t_upper(double x, double df)
{
	return !isnan(x) && is_df(df) ? gsl_cdf_tdist_Q(x, df) : (double)NAN;
}

double dist_chi2_upper(double x, double df)
{
	return !isnan(x) && is_df(df) ? gsl_cdf_chisq_Q(x, df) : (double)NAN;
}
