/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/strbuf.h"
#include "harness/cell/cell.h"
#include "harness/cell/record.h"
#include "harness/store/store.h"

/*
 * How far a campaign is, from its results file, and what it does just now.
 */

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

#define STATUS_OUTCOMES (OUTCOME_NOT_APPLICABLE + 1)
#define STATUS_KINDS    PROBE_KIND_COUNT

/** A probe that gave no answer. */
struct status_failure {
	const struct cell *cell;
	int64_t probe_id;
	enum outcome outcome;
	char *reason;
	char *look; /**< the command that shows all about it */
};

struct status {
	char *plan_name, *run_status; /**< of the latest run; "" when there was none */
	bool is_running;
	long pid; /**< of the run under way; 0 when unknown */

	struct cell *cells;
	size_t cells_n;
	unsigned cells_done;
	unsigned replicates, replicates_done, replicates_lost, replicates_not_applicable;
	unsigned probes_left; /**< estimate */

	unsigned by_outcome[STATUS_OUTCOMES];
	unsigned by_kind[STATUS_KINDS];
	double mean_ms[STATUS_KINDS]; /**< time on the wall of a probe of that kind; NAN without one */
	unsigned agents;              /**< probes whose agent told of itself */
	uint64_t agent_rss_kib;       /**< largest of all probes; 0 when none told */
	double sample_cpu_us;         /**< guest CPU time of one sample, mean over probes; 0 when none told */
	uint64_t ballast_rss_kib, ballast_pte_kib; /**< largest overheads of a full ballast beside Z */
	double eta_s;          /**< seconds until all is asked, with `jobs` guests at a time */
	unsigned jobs;         /**< of the run under way; 1 when there is none */
	struct live_file live; /**< guests that run just now; none unless a run is under way */

	struct status_failure *failures;
	size_t failures_n, failures_cap;
};

/** Reads the current cells and their probes. */
struct err *status_build(struct store *store, struct status **ret) must_check;
void status_destroy(struct status *s);
DEFINE_CLEANUP(cleanup_status, struct status *, status_destroy)

/** The status in one form, appended to out. */
void status_text(const struct status *s, struct strbuf *out);
void status_json(const struct status *s, struct strbuf *out);

/** The JSON object on a single line, for one that follows others. */
void status_json_line(const struct status *s, struct strbuf *out);
