/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "calibrate/stats/quantal.h"
#include "calibrate/stats/search.h"

/*
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
