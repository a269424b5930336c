/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "guest/proto.h"

/** What a load took of its guest over its life, by memory.current of its cgroup; NAN where not known. */
struct footprint {
	double max_kib;
	double mean_kib; /**< over time */
	double wall_ms;  /**< guest time from the first to the last sample that counts */
};

/**
 * From the first sample in which the load holds anything to end_us (guest time, as t_us of the samples;
 * UINT64_MAX: to the last sample), but not beyond where a ballast begins to grow beside it.
 */
struct footprint footprint_of(const struct proto_sample *samples, size_t n, uint64_t end_us);

/** The largest and the mean of what a metric says at the checkpoints of a probe. */
struct footprint_values {
	double max_kib, mean_kib;
	size_t n;
};

void footprint_add(struct footprint_values *v, double kib);

/** None yet. */
#define FOOTPRINT_NO_VALUES ((struct footprint_values){ NAN, NAN, 0 })
