/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_RUN_PROGRESS_H
#define SWAPCAL_RUN_PROGRESS_H

#include <stdio.h>

#include "harness/campaign.h"

/**
 * Progress of a campaign on stderr: a line per finished probe, and on a terminal the phase and ETA of the one
 * that runs.
 */
struct run_progress {
	const struct cell *cell;
	const struct probe_spec *spec;
	unsigned run, left;
	double total_s; /**< time of the probes finished so far */
};

/** Fills *events so that they report to *progress, which must live as long. */
void run_progress_init(struct run_progress *progress, struct campaign_events *events);

/** Seconds that a probe of the cell may take, for the estimate of a dry run. */
double run_progress_typical_s(const struct cell *cell);

/** "about 30 probes; about 12 min ..." for a dry run, as a line on out. */
void run_progress_print_estimate(FILE *out, unsigned probes, double seconds);

#endif
