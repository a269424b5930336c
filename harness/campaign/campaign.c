/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/campaign/campaign.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/cleanup.h"
#include "harness/base/clock.h"
#include "harness/base/log.h"
#include "harness/campaign/campaign-internal.h"
#include "harness/campaign/schedule.h"
#include "harness/cell/cell.h"
#include "harness/store/live-file.h"

/*
 * When so many guests in a row cannot be started, and none could before, it is the host. Later the same may
 * be the trouble of one cell, which costs it its attempts, or pass: it gets time to, and only then it is the
 * host, before it has used up the attempts of all cells.
 */
#define START_FAILURES_MAX       3
#define START_FAILURES_LATER_MAX 10

/* How often those who watch hear of us while nothing happens; and how late we hear of a wish to stop. */
#define WATCHERS_TICK_MS 1000

/** One execution of a campaign. */
struct run {
	const struct campaign *campaign;
	struct cell *cells;
	size_t n;
	struct schedule *schedule;
	struct life_bell bell;
	struct life lives[LIVE_JOBS_MAX]; /**< one a slot */
	int64_t start_ms;
	unsigned guests;         /**< started, or known to be of no use, so far */
	unsigned probes_run;     /**< recorded */
	unsigned start_failures; /**< guests in a row that could not be started */
	int64_t pause_until_ms;  /**< nothing is begun before that */
	bool has_started;        /**< some guest could be started */
	bool has_told;           /**< the user, that probes are finished before all stops */
	bool is_out_of_time;     /**< something was not begun, or was stopped, for lack of time */
	struct err *error;       /**< the first: nothing is begun any more */
};

/** An error that ends the run; the first one is what the user hears of. */
static void fail(struct run *run, struct err *e)
{
	if (run->error)
		err_free(e);
	else
		run->error = e;
}

static double elapsed_s(const struct run *run)
{
	return (double)(clock_ms() - run->start_ms) / 1000;
}

static struct campaign_progress get_progress(const struct run *run)
{
	struct campaign_progress progress = {
		.run = run->probes_run,
		.left = schedule_left(run->schedule),
		.eta_s = schedule_eta_s(run->schedule, run->campaign->jobs),
		.cells = run->n,
	};

	for (size_t i = 0; i < run->n; i++)
		progress.cells_done += schedule_state(run->schedule, i)->replicates_left == 0;
	return progress;
}

static void tick(const struct run *run)
{
	const struct campaign_events *events = &run->campaign->events;
	struct campaign_progress progress = get_progress(run);

	if (events->tick)
		events->tick(events->arg, &progress);
}

/** Tells that a slot is free again; r NULL: there is no record. */
static void tell_end(const struct run *run, const struct life *life, const struct probe_record *r)
{
	const struct campaign_events *events = &run->campaign->events;
	struct campaign_progress progress = get_progress(run);

	if (events->probe_end)
		events->probe_end(events->arg, life->slot, life->cell, r, &progress);
}

/** Has the schedule know what the store does of a cell. */
static struct err *read_cell(struct run *run, size_t i)
{
	struct probe_record *probes;
	size_t n;
	struct err *e = store_probes(run->campaign->store, run->cells[i].key, &probes, &n);

	if (!e)
		schedule_set_probes(run->schedule, i, probes, n);
	return e;
}

/** Records what came of a question (taken over), and tells. */
static struct err *record(struct run *run, const struct life *life, struct probe_record *r)
{
	const struct campaign *c = run->campaign;
	struct err *e = store_put_probe(c->store, c->run_id, r);

	if (!e) {
		run->probes_run++;
		e = read_cell(run, life->cell_i);
	}
	tell_end(run, life, e ? NULL : r);
	probe_record_deinit(r);
	return e;
}

/**
 * A guest could not be started: a failed probe, unless it shows that this host can start none. On success
 * life->record is that probe.
 */
static struct err *take_start_failure(struct run *run, struct life *life)
{
	struct err *e = life->error;

	life->error = NULL;
	/* Whatever a signal broke in the middle of a start is no fault of the guest's. */
	if (cancel_requested()) {
		err_free(e);
		return cancel_error();
	}
	/* ERR_HOST: no other guest could be started either. */
	if (err_get_kind(e) == ERR_INTERRUPTED || err_get_kind(e) == ERR_HOST)
		return e;

	unsigned most = run->has_started ? START_FAILURES_LATER_MAX : START_FAILURES_MAX;

	if (++run->start_failures >= most)
		return err_set_kind(
			err_wrap(e, "%u guests in a row could not be started", run->start_failures),
			ERR_HOST);
	if (run->start_failures >= START_FAILURES_MAX)
		run->pause_until_ms = clock_ms() + run->campaign->start_pause_ms * run->start_failures;
	life->record = probe_not_started(&life->spec, e);
	err_free(e);
	return NULL;
}

static void note_start(struct run *run)
{
	run->has_started = true;
	run->start_failures = 0;
}

/** Takes in what came of a guest whose thread is done. */
static void finish(struct run *run, struct life *life)
{
	struct err *e = NULL;

	life_join(life);
	schedule_end(run->schedule, life->cell_i, life->spec.replicate);
	if (life->error)
		e = take_start_failure(run, life);
	else
		note_start(run);
	if (e)
		tell_end(run, life, NULL);
	else
		e = record(run, life, &life->record);
	life_deinit(life);
	if (e)
		fail(run, e);
}

/** Asks the next question of cell i in that slot. */
static struct err *begin(struct run *run, struct life *life, size_t i)
{
	const struct campaign *c = run->campaign;
	cleanup_free char *missing = NULL;

	life->cell_i = i;

	struct err *e =
		life_prepare(life, &run->cells[i], schedule_state(run->schedule, i), run->guests++, &missing);

	if (!e && c->events.probe_start)
		c->events.probe_start(c->events.arg, life->slot, life->cell, &life->spec);
	if (!e && missing) {
		life->record = probe_not_applicable(&life->spec, missing);
		e = record(run, life, &life->record);
	} else if (!e) {
		e = life_begin(life);
	}
	if (life->is_busy)
		schedule_begin(run->schedule, i, life->spec.replicate);
	else
		life_deinit(life);
	return e;
}

static unsigned count_busy(const struct run *run)
{
	unsigned busy = 0;

	for (unsigned i = 0; i < run->campaign->jobs; i++)
		busy += run->lives[i].is_busy;
	return busy;
}

static bool is_pausing(const struct run *run)
{
	return clock_ms() < run->pause_until_ms;
}

/** Is there a slot, and a question that may be asked now? */
static bool find_next(struct run *run, struct life **ret_life, size_t *ret_cell)
{
	if (run->error || cancel_is_finishing() || run->is_out_of_time || is_pausing(run) ||
	    count_busy(run) == run->campaign->jobs || !schedule_next(run->schedule, ret_cell))
		return false;
	if (elapsed_s(run) + schedule_probe_s(run->schedule, *ret_cell) > run->campaign->time_limit_s) {
		run->is_out_of_time = true;
		return false;
	}
	for (*ret_life = run->lives; (*ret_life)->is_busy;)
		++*ret_life;
	return true;
}

static bool has_any_ended(struct run *run)
{
	for (unsigned i = 0; i < run->campaign->jobs; i++)
		if (run->lives[i].is_busy && run->lives[i].has_ended)
			return true;
	return false;
}

/** Waits until a guest's thread is done, or for a tick. */
static void wait_for_bell(struct run *run)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WATCHERS_TICK_MS / 1000;
	pthread_mutex_lock(&run->bell.lock);
	while (!has_any_ended(run))
		if (pthread_cond_timedwait(&run->bell.rung, &run->bell.lock, &until))
			break;
	pthread_mutex_unlock(&run->bell.lock);
}

/** Whoever asked to stop, and has to wait, is told why; once. */
static void note_finishing(struct run *run)
{
	if (run->has_told || !cancel_is_finishing() || cancel_requested())
		return;
	run->has_told = true;
	log_note("finishing the probes under way; interrupt again to end their guests at once");
}

/** Asks until nothing is left, or nothing may be asked any more, and all guests are gone. */
static void run_cells(struct run *run)
{
	for (;;) {
		struct life *life;
		size_t i;

		while (find_next(run, &life, &i)) {
			struct err *e = begin(run, life, i);

			if (e)
				fail(run, e);
			tick(run);
		}
		if (!count_busy(run) && (!is_pausing(run) || run->error || cancel_is_finishing()))
			return;
		wait_for_bell(run);
		note_finishing(run);
		for (unsigned k = 0; k < run->campaign->jobs; k++)
			if (life_has_ended(&run->lives[k]))
				finish(run, &run->lives[k]);
		tick(run);
		if (elapsed_s(run) >= run->campaign->time_limit_s) {
			run->is_out_of_time = true;
			cancel_now();
		}
	}
}

static void count_replicates(const struct run *run, struct campaign_result *ret)
{
	for (size_t i = 0; i < run->n; i++) {
		const struct cell_state *state = schedule_state(run->schedule, i);

		ret->replicates_done += state->done;
		ret->replicates_lost += state->lost;
		ret->replicates_not_applicable += state->not_applicable;
		ret->replicates_left += state->replicates_left;
	}
}

/** What the end of the run means. */
static struct err *conclude(struct run *run, struct campaign_result *ret)
{
	struct campaign_result result = { .probes_run = run->probes_run };

	count_replicates(run, &result);
	/* What was stopped at the limit is no wish of the user's. */
	if (run->is_out_of_time && run->error && err_get_kind(run->error) == ERR_INTERRUPTED) {
		err_free(run->error);
		run->error = NULL;
	}
	if (run->error)
		return run->error;
	if (result.replicates_left && !run->is_out_of_time)
		return cancel_error();
	*ret = result;
	return NULL;
}

static struct err *last_probe_id(struct store *store, int64_t *ret)
{
	struct probe_record *probes;
	size_t n;
	struct err *e = store_probes(store, NULL, &probes, &n);

	if (e)
		return e;
	*ret = n ? probes[n - 1].id : 0;
	store_probes_free(probes, n);
	return NULL;
}

static void bell_init(struct life_bell *bell)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&bell->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&bell->rung, &attr);
	pthread_condattr_destroy(&attr);
}

struct err *campaign_run(const struct campaign *campaign, struct campaign_result *ret)
{
	cleanup_free struct run *run = xcalloc(1, sizeof(*run));
	int64_t forgiven_id = 0;
	struct err *e = campaign->retry_failed ? last_probe_id(campaign->store, &forgiven_id) : NULL;

	run->campaign = campaign;
	run->start_ms = clock_ms();
	if (!e)
		e = store_cells(campaign->store, &run->cells, &run->n);
	if (e)
		return e;
	run->schedule = schedule_create(run->cells, run->n, forgiven_id);
	bell_init(&run->bell);
	for (unsigned i = 0; i < campaign->jobs; i++)
		run->lives[i] = (struct life){ .campaign = campaign, .slot = i, .bell = &run->bell };
	for (size_t i = 0; !e && i < run->n; i++)
		e = read_cell(run, i);
	if (e)
		fail(run, e);
	else
		run_cells(run);
	e = conclude(run, ret);
	pthread_cond_destroy(&run->bell.rung);
	pthread_mutex_destroy(&run->bell.lock);
	schedule_destroy(run->schedule);
	store_cells_free(run->cells, run->n);
	return e;
}
