/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/proto.h"

/**
 * A named rule that says when swapping has started: at least `pages` pages were swapped out within
 * the last `window_ms` of guest time, counted from the first sample (the baseline) on.
 *
 * Exactly, with out(i) = proto_swapped_out() of sample i: the rule holds at sample i when
 * out(i) - out(j) >= pages, where j is the oldest sample with t_us(j) >= t_us(i) - window_ms * 1000, or i - 1
 * when that is older: a guest in trouble may stall its agent for longer than the window.
 * A counter that went backwards (out(i) < out(j)) counts as nothing swapped. When time goes backwards the
 * window does not: j never becomes older than it was for an earlier sample.
 *
 * A rule never changes under its name: another number is another rule with another name.
 */
struct onset_rule {
	const char *name;
	unsigned version;
	uint64_t pages;
	unsigned window_ms;
};

/** The rule of that name, or NULL. */
const struct onset_rule *onset_rule_find(const char *name);

/** Rules in order, the default first, index from 0; NULL at the end. For lists in help and errors. */
const struct onset_rule *onset_rule_at(size_t index);

struct onset_result {
	bool found;             /**< all else is 0 when not */
	size_t index;           /**< first sample at which the rule holds */
	uint64_t t_us;          /**< guest time of that sample */
	uint64_t swapped_pages; /**< pages swapped out since the first sample, at that sample */
};

/**
 * Applies a rule to n samples; sample 0 is the baseline. The agent in the guest applies the same rule as the
 * samples come. Without a second sample (n < 2) there is no onset.
 */
struct onset_result onset_find(const struct onset_rule *rule, const struct proto_sample *s, size_t n);

/** Swap use that moves by less than this is at rest. */
#define ONSET_SETTLED_KIB 10

/**
 * Has the guest come to rest? True when swap_used_kib moved by less than 10 KiB (largest minus smallest) from
 * the newest sample that is at least window_ms older than the last one, to the last. False when the samples
 * do not reach back that far, and for n < 2. (The Linux Test Project waits in the same way before its
 * swapping tests: until SwapFree moves by less than 10 kB over 1 s.)
 */
bool onset_is_settled(const struct proto_sample *s, size_t n, unsigned window_ms);
