/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_SCHEDULE_H
#define SWAPCAL_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/cleanup.h"
#include "harness/cell/cell.h"
#include "harness/cell/record.h"

/*
 * What is known of all cells of a campaign and what is under way: which question comes next, how many are
 * left and how long they take. No input or output, no clock.
 */

/** What is known about a cell, and what to ask next. */
struct cell_state {
	unsigned done;           /**< replicates with their answer */
	unsigned lost;           /**< replicates given up after repeated failures */
	unsigned not_applicable; /**< replicates the guest's kernel cannot do */
	unsigned replicates_left;
	unsigned probes_left; /**< estimate of probes still to run, for an ETA */
	bool has_next;
	unsigned replicate, seq; /**< of the next probe, with kind and z_kib; valid when has_next */
	enum probe_kind kind;
	uint64_t z_kib;
};

/**
 * The state of a cell from its n probes in the order they were made. Failed probes with an id up to
 * forgiven_id do not count against the cell (--retry-failed). is_running, unless NULL, tells of each
 * replicate whether a probe of it is under way: it is left, but not next.
 */
struct cell_state schedule_cell_state(const struct cell *cell, const struct probe_record *probes, size_t n,
				      int64_t forgiven_id, const bool *is_running);

struct schedule;

/** A schedule of cells (borrowed) of which nothing is known yet. */
struct schedule *schedule_create(const struct cell *cells, size_t n);
void schedule_destroy(struct schedule *s);
DEFINE_CLEANUP(cleanup_schedule, struct schedule *, schedule_destroy)

/** Tells probes of cell i, in the order they were made, beside those told before. Only numbers are kept. */
void schedule_add_probes(struct schedule *s, size_t i, const struct probe_record *probes, size_t n);

/** The failed ones among the probes told so far do not count against their cells any more. */
void schedule_forgive(struct schedule *s);

/**
 * The cell to ask next, of those with a question that is not under way: the one with the fewest probes,
 * recorded or under way, so that a run cut short has covered everything once before anything twice. It
 * follows from what is recorded and under way alone: a resumed run with one guest at a time asks in the same
 * order. False when there is none just now. What to ask is in schedule_state().
 */
bool schedule_next(const struct schedule *s, size_t *ret);

/** The state of cell i; its next question is never one of a replicate that is under way. */
const struct cell_state *schedule_state(const struct schedule *s, size_t i);

/** A probe of that replicate begins; and it has ended, whatever came of it. */
void schedule_begin(struct schedule *s, size_t i, unsigned replicate);
void schedule_end(struct schedule *s, size_t i, unsigned replicate);

/**
 * Seconds that a probe of cell i may take: the mean of those of the cell, else of its method, else what is
 * typical.
 */
double schedule_probe_s(const struct schedule *s, size_t i);

/** Probes that may be left, those under way included. */
unsigned schedule_left(const struct schedule *s);

/** Seconds until all is asked, with so many guests at a time. */
double schedule_eta_s(const struct schedule *s, unsigned jobs);

#endif
