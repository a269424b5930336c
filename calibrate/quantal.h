/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_CALIBRATE_QUANTAL_H
#define SWAPCAL_CALIBRATE_QUANTAL_H

#include <gsl/gsl_rng.h>
#include <stdbool.h>
#include <stddef.h>

#include "calibrate/distribution.h"

/*
 * Quantal response: at a dose (here: the ballast's Z) some of n subjects (guests) respond (swap). Where do half of them?
 * That dose is called ED50. Two estimators that share no assumption but that the response does not fall with the dose:
 * a logistic curve, and centred isotonic regression.
 *
 * What they cannot show: doses were chosen by a search that looked at earlier answers, and both take them as given.
 */

struct quantal_point {
	double dose;
	double n, yes; /**< 0 <= yes <= n */
};

/** How the answers lie. */
enum quantal_separation {
	QUANTAL_OVERLAP,  /**< some response below some non-response */
	QUANTAL_COMPLETE, /**< all responses above all non-responses: the likelihood has no maximum */
	QUANTAL_ONE_SIDED, /**< all the same: nothing says where ED50 is */
};

enum quantal_separation quantal_separation(const struct quantal_point *points, size_t n);

/** The fit of logit P(yes) = intercept + slope dose. NAN where there is none. */
struct quantal_logistic {
	bool is_converged;
	double intercept, slope, intercept_se, slope_se, covariance;
	double deviance;          /**< residual, of the unpenalised likelihood */
	double ed50, ed50_se;     /**< -intercept / slope; by the delta method */
	struct interval fieller;  /**< 95 % by Fieller's theorem; open ends infinite when the slope is not significant */
	struct interval profile;  /**< 95 % by the (penalised) profile likelihood of ED50; ends may be infinite */
};

/**
 * Fits by maximum likelihood, or with Firth's penalty (half the log determinant of the information, 1993), which has a
 * finite answer under complete separation too (Heinze & Schemper 2002). At least one yes and one no are needed.
 */
void quantal_fit_logistic(const struct quantal_point *points, size_t n, bool is_penalised,
			  struct quantal_logistic *ret);

/** ED50 by centred isotonic regression. */
struct quantal_isotonic {
	double ed50;
	/** 95 % by parametric bootstrap of the fitted curve; under complete separation the gap between the answers */
	struct interval ci;
};

/**
 * Centred isotonic regression (Oron & Flournoy 2017): pool adjacent violators, put each pool at the weighted mean of
 * its doses, interpolate linearly.
 */
void quantal_fit_isotonic(const struct quantal_point *points, size_t n, gsl_rng *rng, struct quantal_isotonic *ret);

#endif
