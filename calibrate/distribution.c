/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/distribution.h"

#include <float.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
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
