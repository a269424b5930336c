/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "calibrate/evidence/known.h"
#include "harness/base/err.h"
#include "harness/cell/settings.h"

/** How a load meets a guest. */
enum method {
	METHOD_THRESHOLD,
	METHOD_GROWTH,
	METHOD_POPULATION,
	METHOD_DISPLACEMENT,
	METHOD_RAM,
};

/** The names, in the order of the methods; NULL at the end. */
extern const char *const method_names[];

/** Largest number of methods, for arrays. */
#define METHOD_COUNT (METHOD_RAM + 1)

/** What known-answer loads have in the place of an interpreter. */
#define CELL_KNOWN_INTERPRETER "ballast"

/**
 * A cell: a guest, a load and a method. Its identity is a flat JSON object of everything that can change its
 * result, and its key the sha256 of the identity's canonical text. The members below `identity` are what the
 * identity says, under the same names: cell_decode() reads them from it, cell_encode() makes it from them.
 * Strings and arrays are borrowed from the identity. What an identity lacks, because a cell has no such
 * member or another version made it, is "", 0, false, NULL, or the default of a setting.
 */
struct cell {
	char key[65];
	/**
	 * The threshold cell of the same guest, its own key for a threshold cell; of method ram the one of
	 * the first guest on the line Z*(X)
	 */
	char threshold_key[65];
	unsigned position; /**< place in the plan, from 0 */
	unsigned replicates;
	json_t *identity;

	/* The load. */
	const char *method;      /**< name of an enum method; see cell_is() */
	const char *workload;    /**< "ballast" for threshold cells; the kind of a known-answer load */
	const char *interpreter; /**< "-" for the ballast, "ballast" for a known-answer load */
	unsigned processes;      /**< 0 for a population */
	const char *launch;      /**< "independent", "forked" */
	const char *size;        /**< "24M" for a known-answer load */
	/* Of a workload only. */
	unsigned size_kib;           /**< payload of one process */
	const json_t *command, *env; /**< of the interpreter: arrays of strings */
	const char *extension;       /**< of the interpreter's scripts */
	const char *file;            /**< path of the program in the guest */
	const char *activity; /**< "running" or "frozen" when the guest is at rest with it; "-" where that has
				   no meaning */
	const char *weighing; /**< one of weighing_names: the usual one where it has no meaning */
	bool checkpoints;     /**< it speaks the checkpoint protocol */
	/* Of a known-answer load only; see cell_known(). */
	unsigned kib, children, dirty_pct;

	/* The guest. */
	unsigned x_mib;              /**< its RAM; not of method ram, which searches for it */
	unsigned x_lo_mib, x_hi_mib; /**< of method ram: between these */
	struct guest_settings settings;
	unsigned scratch_mib;              /**< room on a disk for loads of files; 0: no such disk */
	const char *image, *image_content; /**< its name; see image_content_hash() */
	const char *kernel;                /**< its release */
	/**
	 * Key of the disk with the plan's own workloads (see userdisk.h), "" when there is none. All guests
	 * of such a plan have it, also those of Z*: a mounted file system takes some memory from a guest.
	 */
	const char *workloads;
	const char *accel, *cpu, *cmdline; /**< cmdline: of the kernel */
	bool icount;

	/* How it is measured. */
	const char *onset; /**< name of the rule */
	unsigned onset_version, tick_ms, ramp_kib_s, settle_ms, protocol;
	const char *course; /**< numbers that decide how a guest is led to its onset (see probe-course.h) */
	const char *agent;  /**< sha256 of the programs in the guest */
};

/**
 * How a load is weighed: the usual way, or with one thing otherwise, which shows whether that thing changes
 * what the load weighs. NULL at the end.
 */
extern const char *const weighing_names[];

/** Is it weighed that way? */
bool cell_is_weighed(const struct cell *cell, const char *weighing);

/**
 * Reads the members from cell->identity, a JSON object. A member of another type than it should have, or a
 * number that is not one of 32 bits, is an error that names it.
 */
struct err *cell_decode(struct cell *cell) must_check;

/**
 * Makes identity and key from the members (an identity that was there is not freed), and has the members
 * borrow from it.
 */
void cell_encode(struct cell *cell);

void cell_deinit(struct cell *cell);

/** Is it a cell of that method? */
bool cell_is(const struct cell *cell, enum method method);

/** Is it the same load in both, in whatever guest and by whatever method? */
bool cell_has_same_load(const struct cell *a, const struct cell *b);

/** Do its guests go on from saved boots? */
bool cell_is_restored(const struct cell *cell);

/** Are the processes of its load forked from the first one? */
bool cell_is_forked(const struct cell *cell);

/** The known-answer load of a cell; false when it has none, or when its numbers make no sense. */
bool cell_known(const struct cell *cell, struct known_spec *ret);

/** A member of the identity that reports tell a reader of. */
struct cell_trait {
	const char *name;
	const char *before, *after; /**< words around its value */
	const char *usual;          /**< the value that goes without saying; NULL: none is */
	int digits;                 /**< so many bytes of the value are told; 0: all */
};

/** The traits in the order they are told; NULL beyond the last. */
const struct cell_trait *cell_trait_at(size_t i);

/** Far more machines than anybody lets work for one plan. */
#define SHARDS_MAX 10000

/** Shard k of n, counted from 1; n = 0: the whole plan. */
struct shard {
	unsigned k, n;
};

/** The value of --shard: "K/N" with K from 1 to N. ERR_USAGE for anything else. */
struct err *shard_parse(const char *text, struct shard *ret) must_check;
