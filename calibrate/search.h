/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_CALIBRATE_SEARCH_H
#define SWAPCAL_CALIBRATE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Search for the swap threshold Z* of a guest from the answers of fixed-Z probes. A pure function of the
 * answers so far: a search that was interrupted goes on from what is recorded. The fixed-Z answers count as a
 * set, their order does not matter; of several ramps the last counts.
 *
 * 1. A ramp gives the first guess: the Z it held at onset, or hi when it saw none.
 * 2. The first fixed-Z probe asks the guess. As long as all answers agree, the next one is as far beyond the
 *    last as that was from the guess (so the distance from the guess doubles), at least 2 % of the guess and
 *    four times the resolution, until one Z swapped and one did not.
 * 3. The bracket is bisected down to the resolution.
 * 4. Each end of the bracket is asked again until it has `verify` answers: memory responds late, so the
 *    search may have followed an answer from the wrong side.
 *
 * When answers contradict each other, the estimate is the cut with the fewest answers on its wrong side (a
 * "no" above it or a "yes" below; the lowest of equal cuts), and the bracket is the asked Z just below and
 * just above it. An end of the bracket with as many "yes" as "no" is asked again at once, so a contradiction
 * is settled by majority at the same Z; if it goes against the bracket, the cut moves, and the search goes on
 * from step 2 or 3 in the next wider bracket.
 *
 * What this cannot do: it gives no confidence interval, and when the threshold moves from guest to guest by
 * more than the resolution, the bracket is one of several equally good ones.
 */

/**
 * The answer of one fixed-Z probe, or of the coarse ramp (is_ramp). For a ramp z_kib is the Z held at onset,
 * and swapped = false means that it reached its end without one. Probes without an answer (boot-fail,
 * timeout, ...) are not passed.
 */
struct search_probe {
	bool is_ramp;
	uint64_t z_kib;
	bool swapped;
};

struct search_params {
	uint64_t lo_kib;         /**< Z taken not to swap without asking (exclusive), usually 0 */
	uint64_t hi_kib;         /**< largest Z worth asking: RAM + swap cannot hold more */
	uint64_t resolution_kib; /**< width of the final bracket, not 0; each Z asked is a multiple of it */
	unsigned verify;         /**< how often each end of the final bracket is asked, at least 1 */
	unsigned max_probes;     /**< fixed-Z answers before giving up */
};

enum search_step {
	SEARCH_RAMP,         /**< run the coarse ramp */
	SEARCH_PROBE,        /**< run a fixed-Z probe at z_kib */
	SEARCH_DONE,         /**< the bracket is found: lo_kib < hi_kib, at most the resolution apart */
	SEARCH_NO_THRESHOLD, /**< hi was asked `verify` times and did not swap, or nothing can be asked */
	SEARCH_UNSTABLE,     /**< max_probes answers were not enough: they contradict each other */
};

/**
 * What to do next, and the bracket so far: the largest Z asked below the estimate and the smallest above it;
 * the lo_kib of the parameters and UINT64_MAX where there is none yet. In a guest that always swaps
 * the search ends with the former.
 */
struct search_next {
	enum search_step step;
	uint64_t z_kib; /**< for SEARCH_PROBE, else 0 */
	uint64_t lo_kib;
	uint64_t hi_kib;
	unsigned contradictions; /**< fixed-Z answers on the wrong side of the estimate */
};

/**
 * Decides by the n answers so far. Answers below the first multiple of the resolution in (lo, hi], or above
 * the last one, are left out.
 */
struct search_next search_decide(const struct search_params *p, const struct search_probe *probes, size_t n);

#endif
