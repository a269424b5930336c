/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "calibrate/stats/distribution.h"

/*
 * Search for the swap threshold Z* of a guest from the answers of fixed-Z probes: a sequential design. A pure
 * function of the answers so far: a search that was interrupted goes on from what is recorded. The fixed-Z
 * answers count as a set, their order does not matter; of several ramps the last counts.
 *
 * 1. A ramp gives the first guess: the Z it held at onset, or hi when it saw none.
 * 2. From all answers follows the posterior of the threshold (calibrate/stats/posterior.h). The next Z asked
 * is the one whose answer is expected to tell most about it, of the multiples of the precision.
 * 3. The search ends when the middle 95 % of the posterior are within the precision of their middle, and the
 * answers are not as if by the toss of a coin.
 *
 * Near its end a search so asks both sides of the threshold again, until the answers outweigh the chance that
 * one of them was wrong: memory responds late, so any answer may be from the wrong side. Where answers
 * contradict each other, the estimated share of wrong answers and the estimated spread grow, and with them
 * what it takes to end.
 *
 * How it compares with bisection and with up-and-down is in swapcal-statistics(7), from `make designs`.
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
	uint64_t lo_kib;        /**< Z taken not to swap without asking (exclusive), usually 0 */
	uint64_t hi_kib;        /**< largest Z worth asking: RAM + swap cannot hold more */
	uint64_t precision_kib; /**< half of the interval that ends the search, not 0; each Z asked is a
				   multiple of it */
	unsigned max_probes;    /**< fixed-Z answers before giving up */
	double ramp_ratio;      /**< of a ramp's onset to the threshold, as far as known; for the questions
				   only */
	const uint64_t *pending_kib; /**< Z of the fixed probes under way */
	size_t pending_n;
};

/** That ratio in guests of which nothing else is known. */
#define SEARCH_RAMP_RATIO 1.005

/** That ratio after n finished searches, of whose ratios the sum is given. */
double search_ramp_ratio(double sum, unsigned n);

enum search_step {
	SEARCH_RAMP,         /**< run the coarse ramp */
	SEARCH_PROBE,        /**< run a fixed-Z probe at z_kib; 0: those under way are probably enough */
	SEARCH_DONE,         /**< the threshold is known as precisely as asked */
	SEARCH_NO_THRESHOLD, /**< there is none up to hi with 97.5 % probability, or nothing can be asked */
	SEARCH_UNSTABLE,     /**< max_probes answers were not enough */
};

/** What the answers say. */
struct search_estimate {
	/**
	 * The bracket: the largest Z asked below and the smallest asked above the cut that has the fewest
	 * answers on its wrong side (a "no" above it or a "yes" below; the lowest of equal cuts). The lo_kib
	 * of the parameters and UINT64_MAX where there is none.
	 */
	uint64_t bracket_lo_kib, bracket_hi_kib;
	unsigned contradictions; /**< fixed-Z answers on the wrong side of that cut */
	unsigned answers;        /**< fixed-Z answers */
	double z_kib;            /**< median of the posterior; NAN without a ramp, INFINITY when above hi */
	struct interval ci_kib;  /**< its middle 95 %; the upper end may be INFINITY */
	double se_kib;           /**< a quarter of that interval's width, roughly its standard deviation */
	double spread_kib;       /**< standard deviation of thresholds from boot to boot, median */
	double spread_hi_kib;    /**< with 95 % probability not more than that */
	double wrong;            /**< expected share of wrong answers */
};

/** What to do next, and what is known so far. */
struct search_next {
	enum search_step step;
	uint64_t z_kib; /**< for SEARCH_PROBE, else 0 */
	struct search_estimate estimate;
};

/**
 * Decides by the n answers so far. Answers below the first multiple of the precision in (lo, hi], or above
 * the last one, are left out; of more than 512 different Z the lowest count.
 */
struct search_next search_decide(const struct search_params *p, const struct search_probe *probes, size_t n);
