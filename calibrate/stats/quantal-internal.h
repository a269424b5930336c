/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_CALIBRATE_QUANTAL_INTERNAL_H
#define SWAPCAL_CALIBRATE_QUANTAL_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "calibrate/stats/quantal.h"

/* What the files of quantal.h share. */

/** Answers in order: doses rise strictly, each n > 0. */
struct quantal_data {
	struct quantal_point *points;
	size_t n;
	double n_sum;
	/* Where responses and non-responses begin and end; NAN where there are none. */
	double yes_lo, yes_hi, no_lo, no_hi;
};

/** Sorts, adds up what was answered at equal doses, leaves out points with nothing asked. */
void quantal_data_init(struct quantal_data *d, const struct quantal_point *points, size_t n);
void quantal_data_deinit(struct quantal_data *d);
#define cleanup_quantal_data cleanup(quantal_data_deinit)

/** The separation of ordered answers. */
enum quantal_separation quantal_data_separation(const struct quantal_data *d);

/** Answers whose doses have mean 0 and standard deviation 1, for logit P(yes) = a + b dose. */
struct logit_data {
	const struct quantal_point *points;
	size_t n;
	bool is_penalised;
};

/**
 * The likelihood at one (a, b), about the mean dose weighted with the information: where a steep curve lets
 * only doses close to each other count, sums about 0 would lose what distinguishes them.
 */
struct logit_terms {
	double objective;  /**< log likelihood, penalised if it is to be; may be -INFINITY */
	double x_mean;     /**< that mean */
	double i_aa, i_bb; /**< Fisher's information of the curve's height at x_mean, and of its slope */
	double score_a, score_b; /**< the derivatives by them */
	double c_aa, c_ab, c_bb; /**< how fast the scores fall; with a penalty that is not the information */
};

void logit_evaluate(const struct logit_data *d, double a, double b, struct logit_terms *ret);

/** Twice what the unpenalised log likelihood is below that of one share for each dose. */
double logit_deviance(const struct logit_data *d, double a, double b);

/**
 * 95 % interval of ED50 = -a / b by its profile likelihood: all that a likelihood ratio test with b > 0 does
 * not reject. a and b are where the likelihood is highest; b > 0.
 */
struct interval logit_profile_interval(const struct logit_data *d, double a, double b);

#endif
