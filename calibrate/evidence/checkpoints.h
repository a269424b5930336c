/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What workloads said at their checkpoints: the piece of evidence "checkpoints". Each line is
 *
 *     T_US PID NAME key=value ...
 *
 * with the guest's time of the sample before it. Keys: cpu_ms=N, the CPU time of the process so far, and
 * gcKIND=n,total_us,max_us, how often its collector stopped it so far, for how long in all, and for how long
 * at the most. All of it is what a guest says, and may be wrong.
 */

/** Kinds of collections: of CPython its generations, of PyPy the nursery and a step of the major one. */
enum gc_kind { GC_0, GC_1, GC_2, GC_MINOR, GC_STEP, GC_KINDS };

/** "0", "minor", ...: what follows "gc" in the key. */
const char *gc_kind_name(enum gc_kind kind);

/** NAN where nothing was said. */
struct gc_pauses {
	double n, total_us, max_us;
};

/** The last line of each process together: sums, and the longest pause of any. */
struct checkpoints {
	size_t lines, bad; /**< bad lines are skipped whole */
	bool has_end;      /**< there is a good line */
	uint64_t end_us;   /**< guest time of the last line */
	double cpu_ms;     /**< NAN when no process told it */
	struct gc_pauses gc[GC_KINDS];
	bool has_full;      /**< some process said that it is complete: "full" */
	uint64_t full_us;   /**< when the last of them did */
	double full_cpu_ms; /**< what they had taken by then, in all */
};

/**
 * A line is bad when it has no time, process and name, when one of these keys has another kind of value, when
 * it is cut, or when it is of one process too many (256 are the most). Other keys are skipped.
 */
void checkpoints_read(const char *text, size_t len, struct checkpoints *ret);

/** All kinds together: sums, and the longest; NAN when there are none. */
struct gc_pauses checkpoints_all_pauses(const struct gc_pauses gc[GC_KINDS]);
