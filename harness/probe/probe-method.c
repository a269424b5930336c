/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/cell/method.h"
#include "harness/cell/probe-course.h"
#include "harness/probe/probe-internal.h"

/* What happens in a guest under each method, from the first process started to the onset, or to rest. */

/* Evidence at checkpoints of one probe at most: of a workload that has many, the first ones. */
#define CHECKPOINT_SNAPSHOTS_MAX 16

/**
 * Waits for settle_ms of guest time, and longer while swap still moves; less when the guest swaps or a
 * process ends.
 */
static bool rest(struct probe *p)
{
	uint64_t start_us = probe_last_sample_us(p);

	probe_set_phase(p, PHASE_SETTLE);
	while (!p->has_onset && !probe_has_exit(p)) {
		bool rested = probe_last_sample_us(p) - start_us >= p->spec->settle_ms * 1000ull;

		if (rested && onset_is_settled(p->rec->samples, p->rec->samples_count, p->spec->settle_ms))
			break;
		if (!probe_pump(p, 1000))
			return false;
	}
	return true;
}

/** The most that the load was charged for between two moments before the last sample. */
static uint64_t most_kib(const struct probe *p, uint64_t from_ms, uint64_t to_ms)
{
	const struct probe_record *r = p->rec;
	uint64_t last_us = probe_last_sample_us(p), most = 0;

	for (size_t i = r->samples_count; i--;) {
		const struct proto_sample *s = &r->samples[i];

		if (last_us - s->t_us > from_ms * 1000)
			break;
		if (last_us - s->t_us >= to_ms * 1000 && s->load_kib > most)
			most = s->load_kib;
	}
	return most;
}

/**
 * Lets a running load work until it takes no more than before: at least two rounds, for only in the first do
 * forked processes come to own what they change, and then as long as its peak rises from one time of settling
 * to the next. One that never comes to that is measured all the same, with a flag.
 */
static bool work_in(struct probe *p)
{
	uint64_t settle_ms = p->spec->settle_ms, start_us = probe_last_sample_us(p);

	/* With a deadline of its own: how long the load took to build says nothing of this. */
	probe_set_phase(p, PHASE_LOAD);
	p->has_free_run = true;
	if (!probe_answer(p, "go", NULL))
		return false;
	while (!p->has_onset && !probe_has_exit(p)) {
		uint64_t worked_ms = (probe_last_sample_us(p) - start_us) / 1000;
		uint64_t before = most_kib(p, 2 * settle_ms, settle_ms);
		bool is_steady = most_kib(p, settle_ms, 0) <= before + before / PROBE_STEADY_PARTS;

		if (p->rounds >= PROBE_ROUNDS_MIN && worked_ms >= 2 * settle_ms && is_steady)
			return true;
		if (worked_ms > PROBE_WORK_SETTLES_MAX * settle_ms) {
			probe_flag(p, "not-steady");
			return true;
		}
		if (!probe_pump(p, 1000))
			return false;
	}
	return true;
}

/** Starts the ballast and lets it grow until onset, or until it is all there and the guest at rest. */
bool probe_run_ballast(struct probe *p)
{
	probe_set_phase(p, PHASE_LOAD);
	if (!probe_start_ballast(p))
		return false;
	while (!p->has_onset && !p->is_ballast_full && !probe_has_exit(p))
		if (!probe_pump(p, 1000))
			return false;
	if (!p->has_onset && !probe_has_exit(p) && !rest(p))
		return false;
	return p->has_onset || !probe_has_exit(p) || probe_explain_exit(p);
}

static bool start_loads(struct probe *p)
{
	probe_set_phase(p, PHASE_LOAD);
	for (unsigned i = 0; i < p->spec->processes; i++)
		if (!probe_start_load(p))
			return false;
	return true;
}

bool probe_run_growth(struct probe *p)
{
	/* Nothing is measured at a step in this method: the workload may go on at once. */
	p->has_free_run = true;
	if (!start_loads(p))
		return false;
	while (!p->has_onset && !probe_has_exit(p))
		if (!probe_pump(p, 1000))
			return false;
	return p->has_onset || probe_explain_exit(p);
}

/**
 * Takes evidence of the load while it stands still. That takes memory of the guest, which may be the last it
 * had: such an onset is our own doing, and the load runs on after it.
 */
static bool snapshot_frozen(struct probe *p, const char *name)
{
	if (!probe_ask(p, "freeze") || !probe_snapshot(p, name) || !probe_ask(p, "thaw"))
		return false;
	return !p->has_onset || probe_end(p, OUTCOME_INVALID, "the guest swapped just when it was looked at");
}

/** May a checkpoint not give a snapshot its name? One of that name is there, or is for a moment of ours. */
static bool is_taken(const struct probe *p, const char *name)
{
	static const char *const ours[] = { "load", "onset", "end", PROBE_POST_MORTEM, PROBE_HOST };

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcmp(ours[i], name) == 0)
			return true;
	for (size_t i = 0; i < p->rec->snapshots_count; i++)
		if (strcmp(p->rec->snapshots[i].name, name) == 0)
			return true;
	return false;
}

/**
 * Evidence at a barrier on the way, under its name. Of the shipped workloads' build-1 to build-8 every second
 * one: that is enough for a mean, and evidence is large.
 */
static bool snapshot_checkpoint(struct probe *p)
{
	const char *name = p->loads[0].checkpoint;
	unsigned number;
	char rest[2];

	if (sscanf(name, "build-%u%1s", &number, rest) == 1 && number % 2)
		return true;
	if (p->checkpoint_snapshots == CHECKPOINT_SNAPSHOTS_MAX || is_taken(p, name))
		return true;
	p->checkpoint_snapshots++;
	return snapshot_frozen(p, name);
}

/** Has the load's memory stood still for as long as a guest takes to settle, since its last process came? */
static bool is_quiet(const struct probe *p)
{
	const struct probe_record *r = p->rec;
	uint64_t last_us = probe_last_sample_us(p), settle_us = p->spec->settle_ms * 1000ull;
	uint64_t lo = UINT64_MAX, hi = 0;

	if (last_us - p->load_start_us < settle_us)
		return false;
	for (size_t i = r->samples_count; i--;) {
		const struct proto_sample *s = &r->samples[i];

		lo = s->load_kib < lo ? s->load_kib : lo;
		hi = s->load_kib > hi ? s->load_kib : hi;
		if (last_us - s->t_us >= settle_us)
			return lo > 0 && hi - lo < PROBE_QUIET_KIB;
	}
	return false;
}

/**
 * Lets the load build up until all of its processes wait at "full", or, when it knows no checkpoints, until
 * it is quiet. Those that are full wait for the others. Ends early at an onset or when a process ends.
 */
static bool build(struct probe *p, bool with_snapshots)
{
	while (!p->has_onset && !probe_has_exit(p)) {
		if (p->spec->has_checkpoints ? probe_all_wait(p, "full") : is_quiet(p))
			return true;
		if (probe_all_wait(p, NULL) &&
		    ((with_snapshots && !snapshot_checkpoint(p)) || !probe_answer(p, "go", "full")))
			return false;
		if (!probe_pump(p, 1000))
			return false;
	}
	return true;
}

/** Has the load, as it should be now, not come to be? Then this says why. */
static bool is_placed(struct probe *p)
{
	return p->has_onset || !probe_has_exit(p) || (probe_explain_exit(p) && false);
}

/**
 * Starts the load, waits until it has all that it will hold and the guest is at rest. It rests as long as a
 * fixed ballast, so that what either sets going in the guest has as much time to end. A running load goes on
 * with its work meanwhile, a frozen one is stopped for good.
 */
static bool place_load(struct probe *p)
{
	if (!start_loads(p) || !build(p, p->spec->kind == PROBE_DISPLACEMENT))
		return false;
	if (p->spec->has_rounds && !work_in(p))
		return false;
	/* A known-answer load has its file pages in use, or not, by what it is. */
	if (p->spec->is_in_image && !probe_ask(p, "unreference"))
		return false;
	/* What waits at a checkpoint stands still already; what knows none does not. */
	if (p->spec->is_frozen && !probe_stop_load(p))
		return false;
	return rest(p) && is_placed(p);
}

bool probe_run_displacement(struct probe *p)
{
	if (!place_load(p))
		return false;
	probe_set_phase(p, PHASE_EVIDENCE);
	if (p->has_onset)
		return probe_end(
			p, OUTCOME_INVALID,
			"the load alone made the guest swap: there is no room for a ballast beside it");
	return snapshot_frozen(p, "load") && probe_run_ballast(p);
}

bool probe_run_ram(struct probe *p)
{
	if (!place_load(p))
		return false;
	probe_set_phase(p, PHASE_EVIDENCE);
	return p->has_onset || snapshot_frozen(p, "load");
}

/** One more process: a new one, or one that the first forks. */
static bool add_process(struct probe *p)
{
	if (!p->spec->is_forked || !p->loads_n)
		return probe_start_load(p);
	return probe_answer(p, "fork", NULL);
}

/**
 * Adds processes, one after the other is at its size, until onset. Those that are there rest at their
 * checkpoint.
 */
bool probe_run_population(struct probe *p)
{
	for (unsigned n = 1; n <= PLAN_PROCESSES_MAX; n++) {
		cleanup_free char *name = xasprintf("count-%u", n);

		probe_set_phase(p, PHASE_LOAD);
		if (!add_process(p) || !build(p, false) || !rest(p) || !is_placed(p))
			return false;
		probe_set_phase(p, PHASE_EVIDENCE);
		if (p->has_onset)
			return true;
		if (!snapshot_frozen(p, name))
			return false;
	}
	return true;
}
