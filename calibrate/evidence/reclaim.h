/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "calibrate/evidence/views.h"
#include "guest/proto.h"

/*
 * Which way a kernel went when memory got short, until it began to swap: did it drop pages of files (.text
 * among them), throw away what was freed lazily, or write to swap; and whose pages were written?
 */

/**
 * Sums from the first sample to that of the onset, in KiB; NAN where it is not known.
 *
 *   file_peak    the most that files had in RAM
 *   file_kept    what of it was left at onset. Both with what is in tmpfs, and, from the first swapping on,
 *                the swap cache: some MiB
 *   dropped      pages of files that were taken away, each time counted
 *   refault      of these, pages that were soon read again
 *   lazyfreed    pages that a process had given back with MADV_FREE, and that were taken then
 *   swapped      pages written to swap (or found to be all zeros, or compressed, in place of it)
 *   load_swap, ballast_swap, rest_swap
 *                whose pages were in swap in the evidence, which is taken some ticks later; the rest is what
 *                no process maps any more: tmpfs, or shared memory
 *   load_file    pages of files that the load still had mapped then, shared ones by their share
 */
#define RECLAIM_SIZES(X)                                                                                     \
	X(file_peak)                                                                                         \
	X(file_kept)                                                                                         \
	X(dropped)                                                                                           \
	X(refault)                                                                                           \
	X(lazyfreed)                                                                                         \
	X(swapped)                                                                                           \
	X(load_swap)                                                                                         \
	X(ballast_swap)                                                                                      \
	X(rest_swap)                                                                                         \
	X(load_file)

struct reclaim {
#define X(name) double name##_kib;
	RECLAIM_SIZES(X)
#undef X
	double dropped_pct;  /**< of file_peak, what was gone at onset because it was dropped */
	double given_up_pct; /**< dropped and lazyfreed, of all that reclaim took: the rest was swapped */
	double majfaults;    /**< page faults that had to read */
	double allocstalls;  /**< allocations that had to reclaim themselves */
};

/** Whose are the processes of a snapshot? */
enum reclaim_owners {
	RECLAIM_ALL_LOAD,
	RECLAIM_ALL_BALLAST,
	RECLAIM_BY_NAME, /**< one of the name "ballast" is the ballast's, the others are the load's */
};

/** Nothing is known. */
struct reclaim reclaim_unknown(void);

/** Sets what the series tells; onset_us is guest time from the first sample, which there need not be. */
void reclaim_add_series(struct reclaim *r, const struct proto_sample *samples, size_t n, int64_t onset_us);

/**
 * Sets what the evidence at onset tells: row is its row of the view snapshot. It needs process, guest and
 * baseline. To be called after reclaim_add_series().
 */
void reclaim_add_evidence(struct reclaim *r, const struct views *v, size_t row, enum reclaim_owners owners);

/** The views it needs, as VIEW_BIT()s. */
#define RECLAIM_VIEWS                                                                                        \
	(VIEW_BIT(VIEW_SNAPSHOT) | VIEW_BIT(VIEW_PROCESS) | VIEW_BIT(VIEW_GUEST) | VIEW_BIT(VIEW_BASELINE))

/** The mean over n probes, of each member over those that know it. */
struct reclaim reclaim_mean(const struct reclaim *probes, size_t n);

/**
 * Did reclaim go another way with the load than with the ballast alone in such a guest? Then the pages that
 * made room for the load are of another kind than those that made room for the ballast that it is compared
 * with. False when either is not known.
 */
bool reclaim_is_other_way(const struct reclaim *load, const struct reclaim *ballast);
