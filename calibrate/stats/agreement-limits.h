/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

#include "calibrate/stats/distribution.h"

/* Limits of agreement with what is known of them, and the verdict that follows. */

/** 95 % of a normal distribution lie within so many standard deviations: the number that Bland and Altman
 * use.
 */
#define LIMITS_SD 1.96

/** Bias and limits of agreement of the differences, in their unit. NAN where there are too few cells. */
struct agreement_limits {
	double bias; /**< mean over the cells' mean differences */
	struct interval bias_ci;
	double sd;           /**< of one difference: sqrt(between^2 + within^2) */
	double sd_between;   /**< of cells' true differences; without replicates the same as sd */
	double sd_within;    /**< of replicates; NAN without any */
	struct interval loa; /**< bias -+ 1.96 sd: 95 % of differences lie here */
	/**
	 * Of each limit, as in Bland & Altman 1999. A little too short for few cells (92 % with 8), unlike
	 * the bounds below.
	 */
	struct interval loa_lo_ci, loa_hi_ci;
	/**
	 * Tolerance bounds for the verdict, each one-sided at the confidence asked for: the limits are not
	 * further out than `outer`, and not further in than `inner` (MOVER, Zou 2013).
	 */
	struct interval outer, inner;
};

enum agreement_verdict {
	AGREEMENT_VALIDATED, /**< 95 % of differences lie within the margin, at the confidence asked for */
	AGREEMENT_REJECTED,  /**< they do not, at that confidence */
	AGREEMENT_UNDECIDED,
};

/** "validated", "rejected", "undecided" */
const char *agreement_verdict_name(enum agreement_verdict verdict);

/** All that limits of agreement depend on. */
struct limits_moments {
	double k, n;            /**< cells and pairs; not whole numbers when they are made up */
	double bias;            /**< mean of the cells' means */
	double variance_cells;  /**< of the cells' means; NAN for k < 2 */
	double variance_within; /**< pooled, of replicates; NAN without any */
	double within_share;    /**< 1 - 1 / harmonic mean of replicates of a cell */
	double uncertainty;     /**< of the bias, shared by all cells */
};

/** d are differences, ordered by cell: those of cell c are d[start[c]] to d[start[c + 1] - 1]. */
void limits_moments_init(struct limits_moments *m, const double *d, const size_t *start, size_t k,
			 double uncertainty);

void limits_compute(const struct limits_moments *m, double confidence, struct agreement_limits *ret);

/** VALIDATED or REJECTED as outer and inner say, else UNDECIDED. */
enum agreement_verdict limits_verdict(const struct agreement_limits *pct, double margin_pct);

/** Two one-sided t tests (Schuirmann 1987): the larger p. */
double limits_tost_p(const struct limits_moments *pct, double margin_pct);

/**
 * The number of cells like these that would decide an undecided verdict at that confidence, if the moments
 * stay the same; 0 when no number up to 100,000 would.
 */
size_t limits_cells_needed(const struct limits_moments *pct, double margin_pct, double confidence);
