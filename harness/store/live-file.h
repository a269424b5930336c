/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "harness/base/cleanup.h"
#include "harness/base/err.h"

/*
 * What a campaign does just now, for whoever watches it from another process: a small JSON file beside the
 * results file, made anew each second. It is worth nothing without the process that wrote it.
 */

/** Largest number of guests side by side. */
#define LIVE_JOBS_MAX 64

/** A guest that runs. */
struct live_guest {
	unsigned slot;
	char cell[13];       /**< begin of the cell's key */
	char *what;          /**< what it is for, for people */
	char phase[16];      /**< name of a probe_phase */
	double start_s;      /**< Unix time of its start */
	uint64_t memory_kib; /**< what its load is charged for; 0 before there is one */
};

struct live_file {
	long pid; /**< of the campaign */
	unsigned jobs;
	double eta_s;     /**< seconds from `updated_s` until the end; NAN: not known */
	double updated_s; /**< Unix time */
	struct live_guest guests[LIVE_JOBS_MAX];
	size_t n;
};

/** Writes the file, which appears whole, mode 0600. */
struct err *live_file_write(const char *path, const struct live_file *live) must_check;

/** Reads it; false when it is not there, or not as live_file_write() makes it. To be freed with
 * live_file_deinit(). */
bool live_file_read(const char *path, struct live_file *ret);
void live_file_deinit(struct live_file *live);
