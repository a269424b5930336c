/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/cell/cell.h"
#include "harness/cell/record.h"

/*
 * The schedule knows the recorded probes of all cells of a campaign, and those under way. It tells which
 * question comes next, how many are left and how long they take. It has no input, no output and no clock.
 */

/** How far a cell is, and what to ask next. */
struct cell_state {
	unsigned done;           /**< replicates with their answer */
	unsigned lost;           /**< replicates given up after repeated failures */
	unsigned not_applicable; /**< replicates the guest's kernel cannot do */
	unsigned replicates_left;
	unsigned probes_left; /**< estimate of probes still to run, for an ETA */
	bool has_next;
	bool is_ahead;           /**< the next probe is of a replicate with others under way */
	unsigned replicate, seq; /**< of the next probe, with kind and z_kib; valid when has_next */
	enum probe_kind kind;
	uint64_t z_kib;
	double ramp_ratios; /**< sum over finished searches for Z*: the ramp's onset to Z* */
	unsigned ramp_ratios_n;
};

/**
 * The state of a cell from its n probes in the order they were made. Failed probes with an id up to
 * forgiven_id do not count against the cell (--retry-failed). Of the probes under way only
 * replicate, seq, kind and z_kib count: their replicates are left, and next only when no other one is, and
 * when their search has more to ask. ramp_ratio: see struct search_params.
 */
struct cell_state schedule_cell_state(const struct cell *cell, const struct probe_record *probes, size_t n,
				      int64_t forgiven_id, const struct probe_record *running,
				      size_t running_n, double ramp_ratio);

struct schedule;

/** A schedule of cells (borrowed) of which nothing is known yet. */
struct schedule *schedule_create(const struct cell *cells, size_t n);
void schedule_destroy(struct schedule *s);
DEFINE_CLEANUP(cleanup_schedule, struct schedule *, schedule_destroy)

/** Adds probes of cell i, in the order they were made. The schedule keeps their numbers only. */
void schedule_add_probes(struct schedule *s, size_t i, const struct probe_record *probes, size_t n);

/** From now on the failed probes that were added so far do not count against their cells. */
void schedule_forgive(struct schedule *s);

/**
 * The cell to ask next: of those with a question that is not under way, the cell with the fewest probes,
 * recorded or under way; before all questions that are asked ahead of answers under way. So a run that is cut
 * short has asked every cell once before any cell twice. Nothing else has a part in the choice: a resumed run
 * with one guest at a time asks in the same order. False when no cell has a question just now.
 * schedule_state() says what to ask.
 */
bool schedule_next(struct schedule *s, size_t *ret);

/** The state of cell i. */
const struct cell_state *schedule_state(const struct schedule *s, size_t i);

/** The next probe of cell i begins; a probe of it ends with whatever result. */
void schedule_begin(struct schedule *s, size_t i);
void schedule_end(struct schedule *s, size_t i, unsigned replicate, unsigned seq);

/**
 * Seconds that a probe of cell i may take: the mean of those of the cell, else of its method, else what is
 * typical.
 */
double schedule_probe_s(const struct schedule *s, size_t i);

/** Estimate of the probes left, including those under way. */
unsigned schedule_left(const struct schedule *s);

/** Seconds until no question is left, with so many guests at a time. */
double schedule_eta_s(const struct schedule *s, unsigned jobs);
