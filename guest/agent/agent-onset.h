/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/proto.h"

/*
 * The onset rule, one sample at a time: it holds when at least `pages` pages went to swap since the oldest
 * sample that is no older than `window_ms`, or since the sample before when that is older. The host applies
 * it to the whole series; both must agree.
 */

/* A window of 1 s at a tick of 1 ms. */
#define ONSET_SAMPLES_MAX 1024

struct onset_window {
	uint64_t pages, window_us, baseline;
	size_t first, count;
	struct {
		uint64_t t_us, swapped;
	} ring[ONSET_SAMPLES_MAX];
};

/** Does a window of this length fit at this tick? Counts a late tick that the next one follows closely. */
static inline bool onset_window_fits(unsigned tick_ms, unsigned window_ms)
{
	return tick_ms > 0 && window_ms / tick_ms + 2 <= ONSET_SAMPLES_MAX;
}

/** Starts with the baseline sample. */
void onset_begin(struct onset_window *w, uint64_t pages, unsigned window_ms,
		 const struct proto_sample *baseline);

/** Adds the next sample. Does the rule hold at it? */
bool onset_add(struct onset_window *w, const struct proto_sample *s);
