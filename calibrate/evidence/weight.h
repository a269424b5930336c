/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "guest/proto.h"

/*
 * The books of a weighing: what the weight of a load, which a ballast tells by how much less of it there is
 * room for, is made of. A guest's RAM is the same with and without the load, so
 *
 *     ballast + what the load cannot give back + page cache + free memory - what is in swap
 *
 * is the same at both onsets, and the difference of the ballasts follows from that of the rest. Sizes are
 * KiB, NAN where not known: kernels before 5.18 do not tell what they hold themselves for a cgroup.
 */

/** What the series of a probe with a ballast tells. */
struct weighing {
	double held_kib; /**< by the load, that can only stay in RAM or go to swap, before the ballast came */
	double drift_kib; /**< how much more of it at onset */
	/** page cache and lazily freed memory at onset, what is on its way to swap, the load's inodes and
	 * names */
	double file_kib;
	double free_kib; /**< free memory at onset, less what is in swap */
};

/** From a series and guest time of the onset from its first sample on; nothing is known without an onset. */
struct weighing weighing_read(const struct proto_sample *samples, size_t n, int64_t onset_us);

/** The mean over n of them, of each member over those that know it. */
struct weighing weighing_mean(const struct weighing *v, size_t n);

/** What a weight should be by these books, against the ballast of a guest without a load. */
struct weight_parts {
	double held_kib, drift_kib;
	double file_kib, free_kib; /**< how much more than with the ballast alone */
	double tables_kib;         /**< page tables of the ballast that is not there: 0 or less */
	double sum_kib;            /**< of all */
};

struct weight_parts weight_parts_of(const struct weighing *load, const struct weighing *ballast);
