/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/distribution.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

static bool is_share(double p)
{
	return p > 0 && p < 1;
}

/* The domain is checked before GSL is asked: outside of it GSL calls its error handler, which aborts. */
static bool is_df(double df)
{
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

double dist_chi2_quantile(double p, double df)
{
	return is_share(p) && is_df(df) ? gsl_cdf_chisq_Pinv(p, df) : (double)NAN;
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
