/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_CAMPAIGN_H
#define SWAPCAL_CAMPAIGN_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/vm/guest.h"
#include "harness/image/image.h"
#include "harness/plan/plan.h"
#include "harness/probe/probe.h"
#include "harness/cell/cell.h"
#include "harness/cell/record.h"
#include "harness/store/store.h"

/*
 * From a plan to cells, from cells and what is known about them to the next probe, until nothing is left to
 * ask.
 */

/**
 * All cells of a plan in its order, each once: the threshold cell of each guest, then its loads; after the
 * guests of all sizes the loads whose guest is searched. images are those of the plan, in its order; one that
 * is NULL is not built: the keys of its cells mean nothing. Freed with store_cells_free().
 */
void campaign_expand(const struct plan *plan, struct image *const *images, const char *accel,
		     struct cell **ret, size_t *ret_n);

/** How far a campaign is. */
struct campaign_progress {
	unsigned run;  /**< probes of this run so far */
	unsigned left; /**< estimate of those to come, the ones under way included */
	double eta_s;  /**< seconds until the end */
	size_t cells_done, cells;
};

/**
 * Hears what a campaign does; for progress. A guest lives in one of the campaign's slots, from 0 to jobs - 1.
 * Any member may be NULL. probe_phase and probe_load are called in the threads that live guests, several at a
 * time, all else in the one that runs the campaign.
 */
struct campaign_events {
	void *arg;
	void (*probe_start)(void *arg, unsigned slot, const struct cell *cell, const struct probe_spec *spec);
	void (*probe_phase)(void *arg, unsigned slot, enum probe_phase phase);
	void (*probe_load)(void *arg, unsigned slot, uint64_t load_kib);
	/** The guest is gone; record NULL: it was stopped, or could not be recorded. */
	void (*probe_end)(void *arg, unsigned slot, const struct cell *cell,
			  const struct probe_record *record, const struct campaign_progress *progress);
	/** After each of the above that is not from a guest's thread, and every second. */
	void (*tick)(void *arg, const struct campaign_progress *progress);
};

struct campaign_result {
	unsigned probes_run;
	unsigned replicates_done, replicates_lost, replicates_not_applicable;
	unsigned replicates_left; /**< for lack of time */
};

/** What some of a campaign's guests run, and what starts them. */
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
	/** When several guests in a row could not be started: the wait before the next, times their number.
	 */
	int64_t start_pause_ms;
	struct campaign_events events;
};

/**
 * Runs the store's current cells to their end, the cell with the fewest probes next, in up to `jobs` guests
 * at a time, each with a share of the host's CPUs of its own. A probe is durable before its slot gets the
 * next one. What is recorded is not asked again. A guest that cannot be started is a failed probe like
 * others; only when the first guests of a run cannot, it ends (ERR_HOST).
 *
 * An error ends it early and loses at most the probes under way: on the user's wish (ERR_INTERRUPTED; where
 * cancel_is_finishing(), those under way are finished first), else those are finished too. When time runs
 * out that is no error: no probe is begun that would not end in time, going by what others took, and one that
 * is still under way at the limit is stopped.
 */
struct err *campaign_run(const struct campaign *campaign, struct campaign_result *ret) must_check;

#endif
