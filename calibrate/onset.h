/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_CALIBRATE_ONSET_H
#define SWAPCAL_CALIBRATE_ONSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/proto.h"

/**
 * A named rule that says when swapping has started: at least `pages` pages were swapped out within
 * the last `window_ms` of guest time, counted from the first sample (the baseline) on. A rule never changes under its name: another
 * number is another rule with another name.
 */
struct onset_rule {
	const char *name;
	unsigned version;
	uint64_t pages;
	unsigned window_ms;
};

/** The rule of that name, or NULL. */
const struct onset_rule *onset_rule_find(const char *name);

/** Rules in order, index from 0; NULL at the end. For lists in help and errors. */
const struct onset_rule *onset_rule_at(size_t index);

/**
 * Pages swapped out since boot according to one sample: disk, zswap, and pages of zeros that newer kernels
 * do not write.
 */
uint64_t onset_swapped_out_pages(const struct proto_sample *s);

struct onset_result {
	bool found;
	size_t index;           /**< first sample at which the rule holds; valid when found */
	uint64_t t_us;          /**< guest time of that sample */
	uint64_t swapped_pages; /**< pages swapped out since the first sample, at that sample */
};

/** Applies a rule to n samples in time order; sample 0 is the baseline. n may be 0. */
struct onset_result onset_find(const struct onset_rule *rule, const struct proto_sample *s, size_t n);

/**
 * Has the guest come to rest? True when the samples reach back at least window_ms from the last and
 * swap_used_kib moved by less than 10 KiB within that time (the rule the Linux Test Project uses for swapping tests: SwapFree moves
 * less than 10 kB over 1 s).
 */
bool onset_is_settled(const struct proto_sample *s, size_t n, unsigned window_ms);

#endif
