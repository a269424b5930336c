/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/campaign/campaign.h"

/**
 * Progress of a campaign: on stderr a line per finished probe, and on a terminal what runs just now; for
 * other processes the live file (see live-file.h).
 */
struct run_progress;

/** Fills *events so that they report to *ret, which must live as long. live_path is borrowed. */
struct run_progress *run_progress_create(const char *live_path, unsigned jobs,
					 struct campaign_events *events);
void run_progress_destroy(struct run_progress *p);
