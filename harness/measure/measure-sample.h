/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/measure/measure.h"
#include "harness/measure/procfs.h"

/** Values of one metric in the order of time. */
struct measure_series {
	size_t n;
	double max, sum, area; /* area: value times microseconds */
	int64_t first_us, last_us;
	double last;
};

/** Adds a value at a time that is not before the last one's. */
void measure_series_add(struct measure_series *s, int64_t t_us, double y);
struct measure_stat measure_series_stat(const struct measure_series *s, enum measure_kind kind);

/** When samples are due: often at first, so that short commands have some, and never so often that they cost
 * much. */
struct measure_pace {
	int64_t interval_us;
	int64_t start_us; /* of the command */
	int64_t last_us;  /* when the last sample began */
	int64_t spent_us; /* in all samples until now */
	int64_t cost_us;  /* of the last one */
};

/** When the next sample is due. */
int64_t measure_pace_next(const struct measure_pace *p);

/** Is there time for a sample that is not due? */
bool measure_pace_may(const struct measure_pace *p, int64_t now_us);

/** CPU time of processes, from what their stat files said at first and at last. */
struct measure_cpu {
	struct measure_cpu_process *processes;
	size_t n, cap;
};

/** is_first: what it has used by now is not to count. */
void measure_cpu_add(struct measure_cpu *cpu, const struct procfs_stat *st, bool is_first);
void measure_cpu_sum(const struct measure_cpu *cpu, double *ret_user_s, double *ret_system_s);
void measure_cpu_deinit(struct measure_cpu *cpu);

/** Takes samples and applies the metrics to them. */
struct sampler;

/** Reads the machine's baseline. The samples, and what was not readable, are counted in run (borrowed). */
struct sampler *sampler_create(const struct measure_metrics *metrics, struct measure_run *run);
void sampler_destroy(struct sampler *s);
DEFINE_CLEANUP(cleanup_sampler, struct sampler *, sampler_destroy)

/**
 * One sample of the processes; `first` is the one whose high-water mark counts. No process: no sample. What
 * it took, with the queries that came with it, is added to the pace.
 */
struct err *sampler_take(struct sampler *s, const struct proctree *tree, pid_t first, enum measure_kind kind,
			 struct measure_pace *pace) must_check;

/** Applies the metrics to what is left (spent_us: in all samples) and fills the run's stats and times. */
struct err *sampler_finish(struct sampler *s, int64_t spent_us) must_check;

/** CPU time of all processes sampled, since the first sample. */
void sampler_cpu(const struct sampler *s, double *ret_user_s, double *ret_system_s);
