/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gsl/gsl_rng.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "calibrate/stats/search.h"

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

/**
 * A second opinion on Z*, which is the median of the search's posterior: two estimators that know of no wrong
 * answers and no prior, from the same answers. Where all three agree, Z* is not what the model made of it.
 */
struct threshold_check {
	enum quantal_separation
		separation; /**< complete: the answers do not overlap, so their spread has no lower bound */
	struct quantal_logistic logistic; /**< in KiB, with Firth's penalty */
	struct quantal_isotonic isotonic; /**< in KiB */
	bool is_contrary; /**< one of their intervals and that of the posterior have nothing in common */
};

/** From the fixed-Z answers among n probes and what search_decide() made of them. seed: of a bootstrap. */
void threshold_check(const struct search_probe *probes, size_t n, const struct search_estimate *estimate,
		     uint64_t seed, struct threshold_check *ret);

/**
 * How far n onsets of ramps differ: from boot to boot, and within a boot. A ramp sees its onset at the end
 * of the tick in which it fell, so that within a boot it is uncertain by a step of the ballast, evenly:
 * step / sqrt(12). Any difference beyond that is between boots.
 */
struct threshold_ramps {
	double sd_kib;            /**< of the onsets; NAN for n < 2 */
	double within_boot_kib;   /**< standard deviation */
	double between_boots_kib; /**< standard deviation; 0 when the step explains all; NAN for n < 2 */
};

struct threshold_ramps threshold_ramps(const double *onset_kib, size_t n, double step_kib);
