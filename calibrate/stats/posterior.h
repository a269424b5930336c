/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

#include "harness/base/cleanup.h"

/*
 * What the answers of fixed-Z probes say about a threshold: the posterior over three unknowns on a grid.
 *
 *   P(swaps | z) = wrong + (1 - 2 wrong) / (1 + exp(-(z - threshold) / scale))
 *
 * - threshold: the Z at which half of the guests swap;
 * - spread: by how much that differs from guest life to guest life (standard deviation; scale = spread
 * sqrt(3) / pi);
 * - wrong: the share of answers that are wrong whatever Z is, because memory responded late or the host was
 * in trouble.
 *
 * The model is that of a psychometric function with lapses; asking where the answer tells most about the
 * threshold is the psi method (Kontsevich & Tyler 1999; the idea of a posterior over thresholds: QUEST,
 * Watson & Pelli 1983; with wrong answers: Horstein 1963, Waeber, Frazier & Henderson 2013). It needs no
 * separate treatment of answers that are all consistent, where a likelihood alone has no maximum.
 *
 * Priors: threshold: Cauchy around a guess, since a guess may be far off, with some of it spread evenly over
 * the range, and some mass beyond either end. Spread and wrong: every value of their grids may be, small ones
 * rather.
 *
 * What it cannot show: answers count as independent given the three. A threshold that drifts from life to
 * life looks like spread; a host that is in trouble for an hour is no share of wrong answers.
 */

struct posterior_params {
	double lo_kib, hi_kib;  /**< thresholds outside are "below" and "above" */
	double guess_kib;       /**< in between */
	double guess_scale_kib; /**< half of the prior lies within it of the guess */
	double above; /**< prior probability that the threshold is above hi; that of below lo is small */
	double precision_kib; /**< the half-width of an interval that is good enough: sets what spreads are
				 considered */
};

struct posterior_answer {
	double z_kib;
	unsigned yes, no; /**< how often it swapped there, and did not */
};

struct posterior;

/** The posterior after n answers; Z may repeat. */
struct posterior *posterior_create(const struct posterior_params *p, const struct posterior_answer *answers,
				   size_t n);
void posterior_destroy(struct posterior *p);
DEFINE_CLEANUP(cleanup_posterior, struct posterior *, posterior_destroy)

/**
 * The threshold below which a share q of the probability lies; lo when that is below lo, INFINITY when it is
 * above hi.
 */
double posterior_quantile(const struct posterior *p, double q);

/** Probability that the threshold is above hi. */
double posterior_above(const struct posterior *p);

/** The same quantile of the spread, on its grid, in KiB; and the expected share of wrong answers. */
double posterior_spread_quantile(const struct posterior *p, double q);
double posterior_wrong(const struct posterior *p);

/**
 * How many times as likely the answers are as if each were by the toss of a coin; its logarithm. Of answers
 * that are by the toss of a coin it exceeds log k, at any time and whatever is asked, with a probability of
 * 1 / k at most: it is a martingale (Ville 1939).
 */
double posterior_evidence(const struct posterior *p);

/** How likely a guest is to swap at z. */
double posterior_yes(const struct posterior *p, double z_kib);

/** What an answer at z is expected to tell about the threshold, in nats: the mutual information. */
double posterior_information(const struct posterior *p, double z_kib);
