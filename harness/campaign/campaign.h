/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/vm/guest.h"
#include "harness/image/image.h"
#include "harness/plan/plan.h"
#include "harness/probe/probe.h"
#include "harness/cell/cell.h"
#include "harness/store/store.h"

/*
 * A campaign makes cells of a plan, and asks of each what is not known yet, until no question is left.
 */

/**
 * All cells of a plan in its order, each once: the threshold cell of each guest, then its loads; after the
 * guests of all sizes the loads whose guest is searched. images are those of the plan, in its order; an image
 * that is not built is NULL, and the keys of its cells mean nothing. Freed with store_cells_free().
 */
void campaign_expand(const struct plan *plan, struct image *const *images, const char *accel,
		     struct cell **ret, size_t *ret_n);

/*
 * One of N shards of a plan, for N machines. Each computes all shards by itself, from the plan alone, and
 * they agree: what differs between machines (images, accelerator, speed) has no part in it.
 */

/**
 * The shard, from 0, of each of n_cells cells whose probes are expected to take so many milliseconds. Cells
 * are dealt out from the longest to the shortest, each to the shard with the least to do, or to the first of
 * several such shards. So the longest shard exceeds the shortest by one cell at most.
 */
void shard_assign(const uint64_t *ms, size_t n_cells, unsigned n_shards, unsigned *ret);

/**
 * Leaves those of a plan's n cells that belong to the shard, in their order, frees the others, and returns
 * how many are left.
 */
size_t shard_select(const struct shard *shard, struct cell *cells, size_t n);

struct campaign_result {
	unsigned probes_run;
	unsigned replicates_done, replicates_lost, replicates_not_applicable;
	unsigned replicates_left; /**< for lack of time */
};

/** An image of a campaign, and what starts guests of it. */
struct campaign_image {
	const struct image *image;
	void *ops_ctx;
};

/** Where a campaign's guests come from and its results go. */
struct campaign {
	struct store *store;
	int64_t run_id;
	const char *name;                    /**< of the plan, for the names of guests */
	const struct campaign_image *images; /**< those of the plan, in its order */
	size_t images_n;
	const struct guest_ops *ops;
	uint64_t seed;
	bool retry_failed;
	unsigned jobs;       /**< guests side by side, from 1 to LIVE_JOBS_MAX */
	double time_limit_s; /**< for the whole run; INFINITY: none */
	/** The wait after several guests in a row could not be started, times their number. */
	int64_t start_pause_ms;
	bool shows_progress; /**< on stderr, and in the live file (see status.h) */
};

/**
 * Runs the store's current cells to their end, the cell with the fewest probes next, in up to `jobs` guests
 * at a time, each with a share of the host's CPUs of its own. A probe is durable before its slot gets the
 * next one. What is recorded is not asked again. A guest that cannot be started is a failed probe like
 * others; only when the first guests of a run cannot, it ends (ERR_HOST).
 *
 * An error ends it early. The probes under way are finished first, unless the user asked to stop at once
 * (ERR_INTERRUPTED; see cancel_is_finishing()): then they are lost. A run that is out of time is no error: no
 * probe begins that would not end in time, going by what others took, and a probe that is still under way at
 * the limit is stopped.
 */
struct err *campaign_run(const struct campaign *campaign, struct campaign_result *ret) must_check;
