/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

#include "calibrate/stats/distribution.h"

/* Limits of agreement with what is known of them, and the verdict that follows. */

/** 95 % of a normal distribution lie within so many standard deviations: the number that Bland and Altman
 * use.
 */
#define LIMITS_SD 1.96

/** The share of differences that a verdict is about. */
#define LIMITS_SHARE 0.95

/** Bias and limits of agreement of the differences, in their unit. NAN where there are too few clusters. */
struct agreement_limits {
	double bias; /**< mean over the clusters' mean differences */
	struct interval bias_ci;
	double sd;           /**< of one difference: sqrt(between^2 + within^2) */
	double sd_between;   /**< of clusters' true differences; without replicates the same as sd */
	double sd_within;    /**< of replicates; NAN without any */
	struct interval loa; /**< bias -+ 1.96 sd: 95 % of differences lie here */
	/**
	 * Of each limit, as in Bland & Altman 1986. A little too short for few clusters (92 % with 8), unlike
	 * the bounds below.
	 */
	struct interval loa_lo_ci, loa_hi_ci;
	/**
	 * Tolerance bounds at the confidence asked for. Either limit is not further out than `outer`, and
	 * both of them are not further in than `inner`, so that limits which are both at a margin are not
	 * rejected twice as often. Exact without replicates, by dist_tolerance_outer() and _inner(); with
	 * them outer is by MOVER (Zou 2013), and inner has degrees of freedom by Satterthwaite (Mee & Owen
	 * 1983). What all clusters share is added to both as MOVER does.
	 */
	struct interval outer, inner;
	/**
	 * What a validation goes by, wider than outer, for errors that are not normal: the bias and the
	 * standard deviation at their bounds, at the confidence asked for, and 2.98 of the latter, within
	 * which 95 % of any distribution with one peak lie (Vysochanskij & Petunin 1980, Theory Probab. Math.
	 * Stat. 21:25). The bounds themselves are those of normal samples: rare large errors that no sample
	 * shows are not in it.
	 */
	struct interval surely_within;
};

enum agreement_verdict {
	AGREEMENT_VALIDATED, /**< 95 % of differences lie within the margin, at the confidence asked for */
	AGREEMENT_REJECTED,  /**< a limit of agreement lies beyond it, at that confidence */
	AGREEMENT_UNDECIDED,
};

/** "validated", "rejected", "undecided" */
const char *agreement_verdict_name(enum agreement_verdict verdict);

/** All that limits of agreement depend on. */
struct limits_moments {
	double k, n;              /**< clusters and pairs; not whole numbers when they are made up */
	double bias;              /**< mean of the clusters' means */
	double variance_clusters; /**< of the clusters' means; NAN for k < 2 */
	double variance_within;   /**< pooled, of replicates; NAN without any */
	double within_share;      /**< 1 - 1 / harmonic mean of replicates of a cluster */
	double uncertainty;       /**< of the bias, shared by all clusters */
};

/** d are differences, ordered by cluster: those of cluster c are d[start[c]] to d[start[c + 1] - 1]. */
void limits_moments_init(struct limits_moments *m, const double *d, const size_t *start, size_t k,
			 double uncertainty);

/** The confidence of outer and inner, and that of surely_within. */
void limits_compute(const struct limits_moments *m, double confidence, double confidence_validated,
		    struct agreement_limits *ret);

/** VALIDATED or REJECTED as surely_within and inner say, else UNDECIDED. */
enum agreement_verdict limits_verdict(const struct agreement_limits *pct, double margin_pct);

/** Two one-sided t tests (Schuirmann 1987): the larger p. */
double limits_tost_p(const struct limits_moments *pct, double margin_pct);

/**
 * The number of clusters like these that would decide an undecided verdict at that confidence in four of five
 * samples, if bias and variances are what they seem; 0 when no number up to 100,000 would.
 */
size_t limits_clusters_needed(const struct limits_moments *pct, double margin_pct, double confidence);
