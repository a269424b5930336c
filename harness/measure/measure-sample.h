/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/measure/measure.h"
#include "harness/measure/procfs.h"

/** Takes samples and applies the metrics to them. */
struct sampler;

/** Reads the machine's baseline. */
struct sampler *sampler_create(const struct measure_metrics *metrics);
void sampler_destroy(struct sampler *s);
DEFINE_CLEANUP(cleanup_sampler, struct sampler *, sampler_destroy)

/** One sample of the processes; `first` is the one whose high-water mark counts. No process: no sample. */
struct err *sampler_take(struct sampler *s, const struct proctree *tree, pid_t first,
			 enum measure_kind kind) must_check;

/** How long all samples took, and the last one. */
void sampler_costs(const struct sampler *s, int64_t *ret_spent_us, int64_t *ret_last_us);

/** Applies the metrics to what is left and fills stats, samples, sample_ms and what was not readable. */
struct err *sampler_finish(struct sampler *s, struct measure_run *run) must_check;

/** CPU time of all processes sampled, since the first sample. */
void sampler_cpu(const struct sampler *s, double *ret_user_s, double *ret_system_s);
