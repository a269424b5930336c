/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "calibrate/evidence/known.h"
#include "calibrate/evidence/onset.h"
#include "harness/base/err.h"
#include "harness/cell/cell.h"
#include "harness/image/image.h"
#include "harness/image/interpreters.h"
#include "harness/image/workloads.h"
#include "harness/base/yaml.h"

/** Largest number of values one key of a plan may list. */
#define PLAN_LIST_MAX 64

/** Largest number of processes of a workload: each has a line of its own to the agent. */
#define PLAN_PROCESSES_MAX 32

/** Bounds of ram_mib: a Debian cloud kernel does not unpack below the lower one. */
#define PLAN_RAM_MIN_MIB 32
#define PLAN_RAM_MAX_MIB 65536

/** What a plan says of a setting, or of another key: one value, or several where it may list them. */
struct plan_values {
	struct setting_value v[PLAN_LIST_MAX];
	size_t n;
};

/** One entry of `loads`: its lists multiply. Either a workload or, when there are kinds, known-answer loads.
 */
struct plan_load {
	struct plan_values kinds;          /**< as numbers enum known_kind */
	unsigned mib, children, dirty_pct; /**< of known-answer loads; see struct known_spec */

	/* Of a workload. */
	struct plan_values workloads, interpreters, processes, launch;
	struct plan_values sizes; /**< of one process: as written, and in KiB */
	struct plan_values activity;
	struct plan_values weighing;
	bool has_checkpoints; /**< it speaks the checkpoint protocol */

	bool methods[METHOD_COUNT]; /**< those that run it */
};

/** A plan as written, checked, with defaults filled in. Strings are borrowed from the file. */
struct plan {
	struct yaml_file *file;
	const char *text;
	const char *name;
	struct plan_values images;
	struct interpreters interpreters; /**< those that come with swapcal, and the plan's own */
	const char *workloads_dir;        /**< of workloads of the plan's own, as written; NULL: none */
	struct workloads own; /**< what is in it, and its key (see userdisk.h), once they are read */
	char own_key[65];
	struct plan_values ram_mib;
	struct plan_values settings[SETTINGS_MAX]; /**< of guests, in the order of setting_at() */
	bool methods[METHOD_COUNT];
	const struct onset_rule *rule;
	unsigned replicates;
	unsigned seed;
	double margin_pct;
	bool icount;
	unsigned ballast_mib_s; /**< how fast the ballast grows */
	struct plan_load *loads;
	size_t loads_n;
};

/**
 * Reads a plan. Unknown keys, wrong types and impossible values are errors of kind ERR_USAGE with file and
 * line.
 */
struct err *plan_load(const char *path, struct plan **ret) must_check;

/**
 * Reads the plan's own workloads, if it has any, from the directory it names; path is the plan's, which a
 * relative name begins at. What is wrong there is an error at the plan's line.
 */
struct err *plan_read_workloads(struct plan *plan, const char *path) must_check;

/**
 * The path in the guest of the program that a workload is on an interpreter, to be freed: of the plan's own,
 * else of those that come with swapcal.
 */
char *plan_workload_path(const struct plan *plan, const char *workload,
			 const struct interpreter *interpreter);

/**
 * The margin_pct of a plan by its text alone, as a results file keeps it, whatever else is in it; the default
 * when it has none that makes sense. text may be NULL.
 */
double plan_text_margin_pct(const char *text);

/** Do its guests go on from saved boots? */
bool plan_is_restored(const struct plan *plan);

/**
 * Checks a plan against its own workloads, which are read, and its images, of which those that are not built
 * are NULL: each workload must be in one of them, in the language of one of its interpreters. An interpreter
 * that only some of them have is fine: see load_command_missing().
 */
struct err *plan_check_images(const struct plan *plan, struct image *const *images) must_check;

void plan_destroy(struct plan *plan);
