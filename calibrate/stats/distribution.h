/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Quantiles and tail probabilities, by GSL (<gsl/gsl_cdf.h>). GSL ends the program on a value outside of its
 * domain; here that is NAN.
 */

/** From lo to hi; both NAN when it is not defined. Either may be infinite. */
struct interval {
	double lo, hi;
};

#define INTERVAL_NONE ((struct interval){ NAN, NAN })

static inline bool interval_has(struct interval i, double x)
{
	return x >= i.lo && x <= i.hi;
}

/** The x below which a share p of the distribution lies; 0 < p < 1, df > 0. */
double dist_normal_quantile(double p);
double dist_t_quantile(double p, double df);
double dist_chi2_quantile(double p, double df);

/** The share of the distribution above x. */
double dist_t_upper(double x, double df);
double dist_normal_upper(double x);

/** The chance that of n no more than found are of a kind that a share p of all is. */
double dist_binomial_lower(unsigned found, double p, unsigned n);

/**
 * When `found` of n were of a kind: at least this share of all is, at that one-sided confidence (Clopper &
 * Pearson 1934, Biometrika 26:404). NAN for n = 0.
 */
double dist_share_least(size_t found, size_t n, double confidence);

/**
 * Tolerance factors of a normal distribution by the mean of n values (any n > 0) and a standard deviation
 * with df degrees of freedom, at confidence 0.5 to 1. Exact: the noncentral t distribution (Owen 1968,
 * Technometrics 10:445; tables: Odeh & Owen 1980).
 *
 * outer, one-sided: mean + factor SD is not below the true limit, z true SDs above the true mean.
 */
double dist_tolerance_outer(double z, double n, double df, double confidence);

/**
 * inner, for both sides at once: mean -+ factor SD are not outside of the true limits, z true SDs below and
 * above the true mean (the control of both tails, Owen 1964, Technometrics 6:377, from within).
 */
double dist_tolerance_inner(double z, double n, double df, double confidence);
