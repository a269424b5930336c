/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_CALIBRATE_RANKING_H
#define SWAPCAL_CALIBRATE_RANKING_H

#include <stddef.h>
#include <stdint.h>

/**
 * Whoever picks the best of several metrics by the very data that then tell how good it is, is told too much.
 * The one-sided confidence to ask for each metric's bound so that the bounds of all of them hold together
 * with the given confidence, and with them that of whichever was picked: max-t over the joint distribution of
 * the metrics' estimated limits of agreement, a multivariate t whose correlations are those seen over the
 * cells (Hothorn, Bretz & Westfall 2008; Berk et al. 2013), sampled. Metrics that always err
 * together cost nothing; unrelated ones as much as Bonferroni's correction. Means alone are not enough:
 * limits have SDs in them, which are less alike than means are.
 *
 * diffs[m * cells + c] is the mean difference of metric m in cell c, any unit, finite. With fewer than 2
 * cells or 2 metrics it is the given confidence.
 */
double ranking_confidence(const double *diffs, size_t metrics, size_t cells, double confidence,
			  uint64_t seed);

#endif
