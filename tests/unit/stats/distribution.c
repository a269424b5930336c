/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Quantiles: known values, that they invert the tails, and what is outside of their domain. The tails
 * themselves are GSL's and are taken for right.
 */
#include <gsl/gsl_cdf.h>
#include <time.h>

#include "calibrate/stats/distribution.h"
#include "tests/tap.h"

static void test_known(void)
{
	/* From the usual tables. */
	is_near(dist_normal_quantile(0.975), 1.959964, 5e-7, "normal, 97.5 %");
	is_near(dist_t_quantile(0.975, 10), 2.228, 5e-4, "t with 10 degrees of freedom, 97.5 %");
	is_near(dist_chi2_quantile(0.95, 1), 3.841, 5e-4, "chi-squared with 1 degree of freedom, 95 %");
	is_near(dist_chi2_quantile(0.05, 10), 3.940, 5e-4, "with 10, 5 %");
	is_near(dist_chi2_quantile(0.95, 100), 124.342, 5e-4, "with 100, 95 %");
	is_near(dist_chi2_quantile(0.5, 2), 2 * log(2), 1e-14, "with 2 it is exponential: the median");
	is_near(dist_chi2_quantile(1e-9, 2), -2 * log1p(-1e-9), 1e-22, "and a small quantile");
}

/* The share above x. GSL ends the program for some of many degrees of freedom; Wilson and Hilferty's
 * approximation has an error below 1e-7 there. */
static double chi2_upper(double x, double df)
{
	if (df > 1e6)
		return gsl_cdf_ugaussian_Q((cbrt(x / df) - 1 + 2 / (9 * df)) * sqrt(9 * df / 2));
	return gsl_cdf_chisq_Q(x, df);
}

/* GSL's inverse of chi-squared ends the program for some of these. */
static void test_inverse(void)
{
	static const double shares[] = { 1e-12, 1e-6,  0.0017,  0.004,  0.025,  0.05,     0.5,
					 0.95,  0.975, 0.99613, 0.9983, 0.9999, 1 - 1e-6, 1 - 1e-12 };
	double worst_chi2 = 0, worst_t = 0;
	unsigned n = 0;
	clock_t start = clock();

	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		for (double df = 0.5; df < 1e6; df *= 1.37, n++) {
			double p = shares[i], tail = p < 0.5 ? p : 1 - p;
			double chi2 = 1 - chi2_upper(dist_chi2_quantile(p, df), df);
			double t = dist_t_upper(dist_t_quantile(1 - tail, df), df);

			/* The lower tail is known to the digits of 1 only. */
			worst_chi2 = fmax(worst_chi2, fabs(chi2 - p));
			worst_t = fmax(worst_t, fabs(t / tail - 1));
		}
	}
	printf("# %u quantiles of each, %.1f us\n", n, 1e6 * (double)(clock() - start) / CLOCKS_PER_SEC / n);
	printf("# worst %g, %g\n", worst_chi2, worst_t);
	ok(worst_chi2 < 1e-10, "chi-squared quantiles have the tails asked for");
	ok(worst_t < 1e-3, "and so have those of t");
}

static void test_domain(void)
{
	ok(isnan(dist_normal_quantile(0)) && isnan(dist_normal_quantile(1)),
	   "there is no quantile of 0 or 1");
	ok(isnan(dist_t_quantile(NAN, 3)) && isnan(dist_chi2_quantile(NAN, 3)), "nor of NAN");
	ok(isnan(dist_t_quantile(0.5, 0)) && isnan(dist_chi2_quantile(0.5, 0)),
	   "nor without degrees of freedom");
	ok(isnan(dist_chi2_quantile(0.5, INFINITY)), "nor with infinitely many");
	ok(isnan(dist_t_upper(NAN, 3)), "nor a tail of NAN");
	is_near(dist_t_upper(INFINITY, 3), 0, 0, "nothing is above infinity");
	is_near(dist_t_upper(-INFINITY, 3), 1, 0, "and all above its opposite");
	/* The median is df - 2/3, and a little more. */
	is_near(dist_chi2_quantile(0.5, 1e7), 1e7 - 2. / 3, 1e-3, "very many degrees of freedom");
	is_near(chi2_upper(dist_chi2_quantile(0.95, 1e7), 1e7), 0.05, 1e-7, "and a quantile of them");
}

/* One-sided factors as printed, and what they take. */
static void test_tolerance_outer(void)
{
	static const struct {
		double share, confidence, n, want, digits;
		const char *what;
	} known[] = {
		{ 0.95, 0.95, 4, 5.144, 5e-4, "Odeh & Owen 1980: 95 % of the values, 4 of them" },
		{ 0.95, 0.95, 10, 2.911, 5e-4, "10 of them" },
		{ 0.99, 0.95, 10, 3.981, 5e-4, "99 % of the values" },
		{ 0.90, 0.99, 43, 1.8740, 5e-5, "NIST/SEMATECH e-Handbook 7.2.6.3: 43 values at 99 %" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		is_near(dist_tolerance_outer(dist_normal_quantile(known[i].share), known[i].n, known[i].n - 1,
					     known[i].confidence),
			known[i].want, known[i].digits, known[i].what);
	is_near(dist_tolerance_outer(0, 5, 4, 0.95), dist_t_quantile(0.95, 4) / sqrt(5), 1e-9,
		"the limit of a mean is Student's");
	ok(dist_tolerance_outer(2, 2, 1, 1 - 1e-15) > 1e6 && dist_tolerance_inner(2, 2, 1, 1 - 1e-15) < -1e4,
	   "too much confidence has an answer too");
	ok(isnan(dist_tolerance_outer(2, 0, 3, 0.95)) && isnan(dist_tolerance_inner(2, 3, NAN, 0.95)),
	   "of nothing there is none");
}

/* The other order: over the mean, with the distribution of the standard deviation within. Simpson's rule. */
static double probability_inner(double z, double n, double df, double factor)
{
	unsigned steps = 20000;
	double delta = z * sqrt(n), sum = 0;

	for (unsigned i = 0; i <= steps; i++) {
		double x = delta * i / steps, u = (delta - x) / (factor * sqrt(n));

		sum += (i % steps ? 2 + 2 * (i % 2) : 1) * exp(-x * x / 2) * gsl_cdf_chisq_P(df * u * u, df);
	}
	return sum * delta / steps / 3 * 2 / sqrt(2 * M_PI);
}

static void test_tolerance_inner(void)
{
	static const double n[] = { 2, 4, 10, 50, 1000 };

	for (size_t i = 0; i < 5; i++)
		is_near(probability_inner(1.96, n[i], n[i] + 0.5,
					  dist_tolerance_inner(1.96, n[i], n[i] + 0.5, 0.95)),
			0.95, 1e-7, "both limits are not within, with the confidence asked for");
	is_near(dist_tolerance_inner(1.96, 1e8, 1e5, 0.95), 1.96 - 1.644854 * 1.96 / sqrt(2e5), 1e-4,
		"with the mean known it is a matter of the standard deviation");
	is_near(dist_tolerance_inner(1e-9, 5, 4, 0.95), -dist_t_quantile(0.975, 4) / sqrt(5), 1e-6,
		"and without one of the mean, on two sides");
}

TAP_MAIN(test_known, test_inverse, test_domain, test_tolerance_outer, test_tolerance_inner)
