/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/**
 * Someone who reads down a table of metrics and believes each verdict, or picks the best by the same data
 * that then tell how good it is, gets too good an answer. The one-sided confidence to ask for each metric's
 * bound so that the bounds of all of them hold together with the given confidence: max-t over the joint
 * distribution of the metrics' estimated limits of agreement, a multivariate t whose correlations are those
 * seen over the clusters (Hothorn, Bretz & Westfall 2008; Berk et al. 2013), sampled. Metrics that always err
 * together cost nothing; unrelated ones as much as Bonferroni's correction. Means alone are not enough:
 * limits have SDs in them, which are less alike than means are. Fewer than RANKING_CLUSTERS_MIN clusters do
 * not tell which metrics are alike, and take Bonferroni's correction for all that are not equal.
 *
 * means[m * clusters + c] is the mean difference of metric m in cluster c, any unit, finite. With fewer than
 * 2 clusters or 2 metrics it is the given confidence. The order of clusters does not matter.
 */
double ranking_confidence(const double *means, size_t metrics, size_t clusters, double confidence,
			  uint64_t seed);

#define RANKING_CLUSTERS_MIN 12
