/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "harness/cell/cell.h"
#include "harness/cell/record.h"

/** How far a campaign is. */
struct campaign_progress {
	unsigned run;  /**< probes of this run so far */
	unsigned left; /**< estimate of probes to come, including those under way */
	double eta_s;  /**< seconds until the end */
	size_t cells_done, cells;
};

/**
 * Shows the progress of a campaign: on stderr a line per finished probe, and on a terminal what runs just
 * now; for other processes the live file (see live-file.h).
 */
struct run_progress;

/** live_path is borrowed. */
struct run_progress *run_progress_create(const char *live_path, unsigned jobs);
void run_progress_destroy(struct run_progress *p);

/*
 * What the campaign tells. A guest has one of its slots, from 0 to jobs - 1. The phase and the load come from
 * the threads of guests, several at a time, all else from the thread that runs the campaign. With p NULL
 * nobody hears of it.
 */

void run_progress_start(struct run_progress *p, unsigned slot, const struct cell *cell, enum probe_kind kind,
			uint64_t z_kib);
void run_progress_phase(struct run_progress *p, unsigned slot, enum probe_phase phase);
void run_progress_load(struct run_progress *p, unsigned slot, uint64_t load_kib);

/** The guest is gone. r is NULL when the probe was stopped, or could not be recorded. */
void run_progress_end(struct run_progress *p, unsigned slot, const struct probe_record *r,
		      const struct campaign_progress *progress);

/** After each of these from the thread of the campaign, and every second. */
void run_progress_tick(struct run_progress *p, const struct campaign_progress *progress);
