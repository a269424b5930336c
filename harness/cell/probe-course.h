/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "calibrate/evidence/onset.h"

/*
 * The numbers of the host that decide how a guest is led to its onset: who changes one asks another question,
 * so all of them are in a cell's identity (member "course"). Deadlines and limits are not among them: they
 * end a probe, but change no answer. Those of the search for Z* choose the next question only.
 *
 * X(NAME, name, value):
 * - version: raised when the order of steps changes, or a setting that no cell names (probe_prepare())
 * - step_kib: payload of one growth step of a workload. A step is a checkpoint, a round trip of about a
 *   millisecond: 1 MiB keeps that small beside the step itself and the steps small beside a guest
 * - rounds_min, cycles_min, steady_parts, work_settles_max: what a running load works before it is measured:
 *   rounds over its data; cycles of its collector, of a load that tells of them; until its peak rises by less
 *   than one part in so many; but no longer than so many times what a guest takes to settle
 * - quiet_kib: a load that knows no checkpoints is complete when it changed by less while the guest settles
 * - slow_parts, slow_kib: a ballast that grows until onset goes on so many times slower once the guest has
 *   no more free memory than so much above its high watermarks, where kswapd ends
 * - settled_kib: see onset_is_settled()
 */
#define PROBE_COURSE(X)                                                                                      \
	X(VERSION, "version", 3)                                                                             \
	X(STEP_KIB, "step_kib", 1024)                                                                        \
	X(ROUNDS_MIN, "rounds_min", 2)                                                                       \
	X(CYCLES_MIN, "cycles_min", 2)                                                                       \
	X(STEADY_PARTS, "steady_parts", 200)                                                                 \
	X(WORK_SETTLES_MAX, "work_settles_max", 30)                                                          \
	X(QUIET_KIB, "quiet_kib", 256)                                                                       \
	X(SLOW_PARTS, "slow_parts", 8)                                                                       \
	X(SLOW_KIB, "slow_kib", 8192)                                                                        \
	X(SETTLED_KIB, "settled_kib", ONSET_SETTLED_KIB)

#define PROBE_COURSE_MEMBER_(NAME, name, value) PROBE_##NAME = (value),
enum { PROBE_COURSE(PROBE_COURSE_MEMBER_) };

#define PROBE_COURSE_TEXT_(value)             #value
#define PROBE_COURSE_WORD_(NAME, name, value) " " name "=" PROBE_COURSE_TEXT_(value)
/** All of them as words, "version=1 step_kib=1024 ..."; the first byte is a blank. */
#define PROBE_COURSE_WORDS PROBE_COURSE(PROBE_COURSE_WORD_)
