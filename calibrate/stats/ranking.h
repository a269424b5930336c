/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** What is known of a metric in one cell: its differences' mean, sum of squares around it, and number, above
 * 0. */
struct ranking_cell {
	double mean, squares;
	size_t n;
};

/**
 * Someone who picks the best of several metrics by the same data that then tell how good it is gets too
 * good an answer. The one-sided confidence to ask for each metric's bound so that the bounds of all of them
 * hold together with the given confidence, and with them that of whichever was picked: max-t over the joint
 * distribution of the metrics' estimated limits of agreement, a multivariate t whose correlations are those
 * seen over the cells (Hothorn, Bretz & Westfall 2008; Berk et al. 2013), sampled. Metrics that always err
 * together cost nothing; unrelated ones as much as Bonferroni's correction. Means alone are not enough:
 * limits have SDs in them, which are less alike than means are.
 *
 * data[m * cells + c] is metric m in cell c, any unit, finite. With fewer than 2 cells or 2 metrics it is the
 * given confidence.
 */
double ranking_confidence(const struct ranking_cell *data, size_t metrics, size_t cells, double confidence,
			  uint64_t seed);

/**
 * How firmly a metric is in first place: the share of sets of cells, drawn with replacement from those
 * there are, in which no metric has a smaller likely error (cluster bootstrap: Efron & Tibshirani 1993, An
 * Introduction to the Bootstrap, ch. 8). The likely error is that limit of agreement that is further from
 * 0. data[m * cells + c] is metric m in cell c. NAN for fewer than 2 cells. Few cells make few different
 * sets, and the share says less than it seems to.
 */
double ranking_first(const struct ranking_cell *data, size_t metrics, size_t cells, size_t metric,
		     uint64_t seed);
