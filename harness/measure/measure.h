/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/base/strbuf.h"
#include "harness/query/metric.h"
#include "harness/query/query.h"

/*
 * The memory of a command and all its children on this machine, by every metric. /proc is read again and
 * again while the command runs: samples. Nothing here prints.
 */

/** Two kinds of samples, with statistics of their own. */
enum measure_kind {
	MEASURE_TIMED,      /**< at the start, then at the interval, and where possible at the very end */
	MEASURE_CHECKPOINT, /**< while the command waits at a checkpoint */
	MEASURE_KINDS,
};

/** Of the samples in which a metric has a value; n 0: none has. */
struct measure_stat {
	size_t n;
	double max_kib;
	/**
	 * Of timed samples weighted with time: the area below the line from value to value, by its length. Of
	 * checkpoints the plain mean.
	 */
	double avg_kib;
};

/** Metrics and the views that each reads (VIEW_BIT()s). */
struct measure_metrics {
	struct metric *metrics;
	size_t n;
	unsigned *sets;
	unsigned set; /**< of all */
};

/** The shipped metrics. */
struct err *measure_metrics_load(struct measure_metrics *ret) must_check;
void measure_metrics_deinit(struct measure_metrics *m);

/** What to measure: a command, or a process that runs already. */
struct measure_target {
	const char *const *argv; /**< NULL-terminated, found through PATH; NULL: pid */
	pid_t pid;
	int64_t duration_ms;  /**< of a pid: the longest; 0 without limit */
	unsigned interval_ms; /**< between timed samples, at the least, but for the first ones */
};

/** What one measurement found. */
struct measure_run {
	struct measure_stat (*stats)[MEASURE_KINDS]; /**< a row for each metric */
	size_t samples[MEASURE_KINDS];
	double sample_ms;   /**< mean time that a sample took */
	double interval_ms; /**< mean time between timed samples; 0 when there was one */
	double wall_s, user_s, system_s;
	uint64_t peak_rss_kib; /**< the kernel's high-water mark (VmHWM) of the first process; 0: unknown */
	size_t vanished;       /**< processes that ended while they were read; they do not count */
	size_t unreadable;     /**< reads of processes whose smaps may not be read: values are too small */
	size_t left_behind;    /**< processes that still ran when the command had ended */
	bool has_end;          /**< it ran to its end: sampled at its exit, nothing is missing there */
	int wait_status;       /**< of a command, as from waitpid() */
	bool is_interrupted;
	const char *pages_missing; /**< why there are no pages; NULL when there are */
};

/**
 * Measures. A command gets our standard input, output and error, and the descriptors of the workload
 * protocol. That it fails is no error here but its wait_status; that there was no chance to take a sample is.
 * To be called by one thread at a time: it waits for every child of this process.
 */
struct err *measure_run(const struct measure_target *target, const struct measure_metrics *metrics,
			struct measure_run *ret) must_check;
void measure_run_deinit(struct measure_run *run);

/** All that is told in the end. */
struct measure_report {
	const struct measure_target *target;
	const struct measure_metrics *metrics;
	const struct measure_run *run;
	const char *baseline_command;       /**< NULL: there is none */
	const struct measure_run *baseline; /**< of that command */
};

/** The kind of sample that a run's columns are about: checkpoints when there were any. */
enum measure_kind measure_basis(const struct measure_run *run);

/** "failed with exit status 3", "was ended by signal 9 (Killed)"; empty when it ended well. */
void measure_add_status(struct strbuf *out, int wait_status);

void measure_text(const struct measure_report *r, struct strbuf *out);
void measure_csv(const struct measure_report *r, struct strbuf *out);
void measure_json(const struct measure_report *r, struct strbuf *out);
