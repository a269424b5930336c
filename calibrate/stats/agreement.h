/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "calibrate/stats/agreement-limits.h"
#include "calibrate/stats/agreement-line.h"

/*
 * Do two methods of measurement agree? z is the reference (here: the ballast), y the method on trial, and
 * differences are y - z. Correlation does not answer this (Bland & Altman 1986), so it is computed only as
 * a part of Lin's coefficient.
 *
 * Pairs of one cluster are replicates: they share what is particular to the cluster. Every cluster counts
 * once, whatever its number of replicates, and what is known about an error shrinks with the number of
 * clusters. When each pair is a cluster of its own, all formulas are the textbook's.
 */

struct agreement_pair {
	double z, y;    /**< finite, same unit */
	size_t cluster; /**< pairs with the same number are replicates; any numbers */
};

/** The margin that people ask about first, in percent; reports say which was used. */
#define AGREEMENT_MARGIN_PCT 5

struct agreement_params {
	double margin_pct; /**< largest difference that does not matter, percent of z; > 0 */
	/**
	 * Standard uncertainty of z that all pairs share, in percent: no number of clusters makes it smaller.
	 * 0 when each z has an error of its own.
	 */
	double z_uncertainty_pct;
	double confidence; /**< one-sided, of outer, inner and a rejection, above 0.5 */
	/** Of surely_within, within_share and a validation: the same, or more for one of several (ranking.h).
	 */
	double confidence_validated;
};

struct agreement {
	size_t n, clusters;          /**< pairs; distinct clusters */
	double replicates_mean;      /**< n / clusters */
	struct agreement_limits abs; /**< of y - z */
	struct agreement_limits pct; /**< of 100 (y - z) / z; all NAN when some z is not > 0 */
	/** The slope of y - z over the mean of both: does the error grow with the size? */
	double proportional_slope;
	struct interval proportional_ci;
	/**
	 * Var(error of z) / Var(error of y) that Deming used. Replicates tell only of their own errors, so
	 * what is particular to a cluster is not in it.
	 */
	double error_ratio;
	bool has_error_ratio; /**< estimated from replicates; else error_ratio is 1 by assumption */
	/**
	 * Of clusters' means. Deming's with intervals by the jackknife over clusters and t with clusters - 2
	 * degrees of freedom; weighted for errors in proportion to the value, NAN when some value is not > 0.
	 * Passing and Bablok's interval has infinite ends when there are too few slopes.
	 */
	struct agreement_line deming, weighted_deming, passing_bablok;
	bool is_weighted_unstable; /**< weighted Deming swings between lines; the slope or intervals are NAN
				    */
	bool is_pb_enumerated;     /**< Passing-Bablok looked at every slope; else it counted to find ranks */
	/**
	 * CUSUM test of Passing-Bablok's line: small when the relation is no line. NAN when no cluster is
	 * above the line or none below.
	 */
	double linearity_p;
	double ccc; /**< Lin's concordance, of all pairs */
	struct interval ccc_ci;
	size_t within; /**< clusters all of whose differences lie within the margin */
	/**
	 * At least this share of such clusters lies within the margin, at the confidence asked for, whatever
	 * their distribution (Clopper & Pearson 1934, Biometrika 26:404). NAN where there are no percents.
	 */
	double within_share;
	/**
	 * One cluster's mean is farther from the others' than normal errors explain (its studentised
	 * residual without itself, at a level of 1 % for all clusters). Then nothing is validated that takes
	 * other clusters for its like.
	 */
	bool has_outlier;
	double tost_p; /**< two one-sided t tests: p that |bias| in percent reaches the margin */
	enum agreement_verdict verdict;
	const char *verdict_reason; /**< static text: why it is undecided or not judged; else "" */
	size_t clusters_needed;     /**< of an undecided one: see limits_clusters_needed() */
};

/**
 * Compares n pairs. Degenerate input (n small, all equal) gives NANs and AGREEMENT_UNDECIDED, never a crash.
 * The order of pairs, and which numbers clusters have, does not matter to the last bit.
 * Takes O(n log n) time and O(n) memory.
 */
void agreement_compare(const struct agreement_pair *pairs, size_t n, const struct agreement_params *params,
		       struct agreement *ret);
