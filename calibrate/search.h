/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_CALIBRATE_SEARCH_H
#define SWAPCAL_CALIBRATE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Search for the swap threshold Z* of a guest from the answers of fixed-Z probes. A pure function of all
 * answers so far, in any order of calls: a search that was interrupted goes on from what is recorded.
 */

/** The answer of one fixed-Z probe (ramp = false) or of the coarse ramp (true: z_kib is the Z held at onset). */
struct search_probe {
	bool is_ramp;
	uint64_t z_kib;
	bool swapped;
};

struct search_params {
	uint64_t lo_kib;         /**< Z assumed not to swap before anything is known (exclusive), usually 0 */
	uint64_t hi_kib;         /**< largest Z worth asking: RAM + swap cannot hold more */
	uint64_t resolution_kib; /**< the bracket is refined to this width */
	unsigned verify;         /**< how often each side of the final bracket is asked, at least 1 */
	unsigned max_probes;     /**< fixed-Z probes before giving up */
};

enum search_step {
	SEARCH_RAMP,         /**< run the coarse ramp */
	SEARCH_PROBE,        /**< run a fixed-Z probe at z_kib */
	SEARCH_DONE,         /**< the bracket is found */
	SEARCH_NO_THRESHOLD, /**< nothing swaps in [lo, hi] */
	SEARCH_UNSTABLE,     /**< the answers contradict each other beyond max_probes */
};

/**
 * What to do next. lo_kib and hi_kib are the bracket so far: the largest Z below the estimate that did not swap and the
 * smallest Z above it that did; 0 and UINT64_MAX where there is none yet.
 */
struct search_next {
	enum search_step step;
	uint64_t z_kib;
	uint64_t lo_kib;
	uint64_t hi_kib;
	unsigned contradictions; /**< fixed-Z answers on the wrong side of the bracket */
};

struct search_next search_decide(const struct search_params *p, const struct search_probe *probes, size_t n);

#endif
