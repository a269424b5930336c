/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gsl/gsl_rng.h>
#include <stdbool.h>
#include <stddef.h>

#include "calibrate/stats/distribution.h"

/*
 * Quantal response: at a dose (here: the ballast's Z) some of n subjects (guests) respond (swap). Where do
 * half of them? That dose is called ED50. Two estimators that share no assumption but that the response does
 * not fall with the dose: a logistic curve, and centred isotonic regression.
 *
 * Points may come in any order, and a dose more than once. Those with n = 0 are left out; n and yes need not
 * be whole.
 *
 * What they cannot show: doses were chosen by a search that looked at earlier answers, and both take them as
 * given. How often their intervals then hold the truth is in tests/sim/quantal.c.
 */

struct quantal_point {
	double dose;
	double n, yes; /**< 0 <= yes <= n */
};

/** How the answers lie. */
enum quantal_separation {
	QUANTAL_OVERLAP,   /**< some response at or below some non-response */
	QUANTAL_COMPLETE,  /**< all responses above all non-responses: a step explains them */
	QUANTAL_ONE_SIDED, /**< all the same, or no answers: nothing says where ED50 is */
};

enum quantal_separation quantal_separation(const struct quantal_point *points, size_t n);

/** The fit of logit P(yes) = intercept + slope dose. NAN where there is none. */
struct quantal_logistic {
	double intercept, slope;
	double ed50; /**< -intercept / slope; NAN, as the interval, when the slope is not above 0 */
	/** 95 % by the penalised profile likelihood of ED50; ends may be infinite. */
	struct interval profile;
};

/**
 * Fits by maximum likelihood with Firth's penalty (half the log determinant of the information, 1993), which
 * has a finite answer under complete separation too (Heinze & Schemper 2002). At least one yes, one no and
 * two doses are needed; otherwise all is NAN.
 */
void quantal_fit_logistic(const struct quantal_point *points, size_t n, struct quantal_logistic *ret);

/** ED50 by centred isotonic regression. */
struct quantal_isotonic {
	double ed50;
	/**
	 * 95 % by parametric bootstrap of the fitted curve, within the range of doses, and no narrower than
	 * the gap between two of them; under complete separation the gap between the answers, however few
	 * they are
	 */
	struct interval ci;
};

/**
 * Centred isotonic regression (Oron & Flournoy 2017): pool adjacent violators, put each pool at the weighted
 * mean of its doses, interpolate linearly. NAN when the curve does not reach a half, or begins above it.
 * Draws from rng only when answers overlap.
 */
void quantal_fit_isotonic(const struct quantal_point *points, size_t n, gsl_rng *rng,
			  struct quantal_isotonic *ret);
