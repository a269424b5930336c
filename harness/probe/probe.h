/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "calibrate/evidence/onset.h"
#include "harness/base/err.h"
#include "harness/vm/guest.h"
#include "harness/cell/record.h"
#include "harness/cell/settings.h"

/** Snapshot of which pages a load uses that was weighed at rest: smaps of its processes, and nothing else. */
#define PROBE_USED "used"

/** Snapshots of what the host knows: of a probe without an answer, and of every probe. */
#define PROBE_POST_MORTEM "post-mortem"
#define PROBE_HOST        "host"

/** Everything one guest life depends on. Strings are borrowed. */
struct probe_spec {
	const char *cell_key;
	unsigned replicate, seq;
	enum probe_kind kind;
	/**
	 * Ballast size: the target of a fixed probe, the end of a ramp (also one beside a load); of a ram
	 * probe the guest's RAM; else 0
	 */
	uint64_t z_kib;

	struct guest_config guest;
	struct guest_settings settings; /**< those that guest has too are the same there */

	const struct onset_rule *rule;
	unsigned tick_ms;
	unsigned settle_ms;  /**< how long a fixed ballast stays before "no-onset" */
	unsigned ramp_kib_s; /**< how fast the ballast grows */

	/** NULL-terminated command of the load and its environment; NULL when the ballast is all there is */
	const char *const *argv, *const *env;
	bool is_in_image;     /**< the command is a program of the root image, not of the initramfs */
	bool has_seed;        /**< it takes "--seed N"; each process gets its own */
	bool has_checkpoints; /**< it speaks the checkpoint protocol; else it is full when it rests */
	bool has_rounds;      /**< once full it goes on working, in rounds with a checkpoint each */
	unsigned processes;   /**< to start; a population starts as many as there is room for */
	bool is_forked;       /**< a population is forked by its first process */
	/* One thing otherwise than usual, for how it changes what a load weighs. */
	bool is_unseen;     /**< the load is neither frozen nor looked at before the ballast grows */
	bool keeps_caches;  /**< page cache of the boot is not dropped */
	bool forgets_files; /**< reference bits of the load's file pages are cleared before it rests */
	bool is_frozen;     /**< the load is stopped once it has its size, before the guest rests with it */
};

/** Hears of a guest life, in the thread that lives it; for progress. Any function may be NULL. */
struct probe_events {
	void *arg;
	void (*phase)(void *arg, enum probe_phase phase); /**< it begins */
	void (*load)(void *arg, uint64_t load_kib);       /**< what the load is charged for just now */
};

/**
 * Lives one guest: start, load, verdict, evidence, end. Whatever goes wrong with the guest is an outcome in
 * *ret, with a reason; an error is returned only when the user asked to stop (ERR_INTERRUPTED) or the guest
 * could not be started (any other kind; see probe_not_started()). The guest is gone when this returns.
 * events may be NULL.
 */
struct err *probe_run(const struct guest_ops *ops, void *ctx, const struct probe_spec *spec,
		      const struct probe_events *events, struct probe_record *ret) must_check;

/** The record of a probe whose guest could not be started: boot-fail, with e (borrowed) as the reason. */
struct probe_record probe_not_started(const struct probe_spec *spec, const struct err *e);

/** The record of a probe for which no guest is needed to know that it cannot be. */
struct probe_record probe_not_applicable(const struct probe_spec *spec, const char *why);
