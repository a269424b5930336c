/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/campaign/campaign.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/clock.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/thread.h"
#include "harness/campaign/schedule.h"
#include "harness/host/host.h"
#include "harness/plan/load-command.h"
#include "harness/campaign/status.h"

/*
 * The host is at fault when the first guests of a run, so many in a row, cannot be started. Later the fault
 * may be one cell's, which costs that cell its attempts, or it may pass: the run waits longer before it
 * blames the host, but not until all cells have used up their attempts.
 */
#define START_FAILURES_MAX       3
#define START_FAILURES_LATER_MAX 10

/* How often watchers get news while nothing happens, and how late the run may hear of a wish to stop. */
#define WATCHERS_TICK_MS 1000

/** A guest: what it is started for, what it runs, and how it ended. */
struct life {
	struct run *run;
	unsigned slot;

	bool is_busy; /**< between life_begin() and life_join() */
	size_t cell_i;
	const struct cell *cell;
	struct probe_spec spec;

	/* What spec borrows. */
	char *name, *cpus;
	struct load_command command;

	pthread_t thread;
	void *ops_ctx;
	bool has_ended; /**< guarded by the lock of the run */
	struct err *error;
	struct probe_record record; /**< valid without an error */

	/* What is told of it, guarded by the lock of the run. */
	struct live_guest told; /**< without `what` nothing is */
	int64_t phase_start_ms;
};

/** How far a campaign is. */
struct progress {
	unsigned run;  /**< probes of this run so far */
	unsigned left; /**< estimate of probes to come, including those under way */
	double eta_s;  /**< seconds until the end */
	size_t cells_done;
};

/** One execution of a campaign. */
struct run {
	const struct campaign *campaign;
	struct cell *cells;
	size_t n;
	struct schedule *schedule;
	pthread_mutex_t lock;
	pthread_cond_t bell;              /**< a guest's thread has ended */
	struct life lives[LIVE_JOBS_MAX]; /**< one a slot */
	int64_t start_ms;
	unsigned guests;         /**< that were started, or that could not have answered */
	unsigned probes_run;     /**< recorded */
	unsigned start_failures; /**< guests in a row that could not be started */
	int64_t pause_until_ms;  /**< no probe begins before that */
	bool has_started;        /**< some guest could be started */
	bool has_told;           /**< the user knows that probes are finished before the run stops */
	bool is_out_of_time;     /**< a probe was not begun, or was stopped, for lack of time */
	struct err *error;       /**< the first one; no probe begins after it */
	struct progress told;    /**< at the last tick; guarded by the lock */
	bool has_live_error;
};

/* --- What is told of a campaign: on stderr a line per finished probe, and on a terminal what runs just now;
 * for other processes the live file (see status.h). Guests tell of themselves in threads of their own. */

/** What a probe does, in a few words, to be freed. */
static char *describe(const struct cell *cell, enum probe_kind kind, uint64_t z_kib)
{
	unsigned x = cell->x_mib;
	const char *interpreter = cell->interpreter;
	const char *workload = cell->workload, *size = cell->size;
	struct known_spec known;
	cleanup_free char *load = cell_known(cell, &known) ? xasprintf("%s %s", workload, size)
							   : xasprintf("%u x %s %s %s", cell->processes,
								       interpreter, workload, size);

	switch (kind) {
	case PROBE_RAMP:
		return xasprintf("X=%u ballast ramp", x);
	case PROBE_FIXED:
		return xasprintf("X=%u ballast Z=%.1f MiB", x, (double)z_kib / 1024);
	case PROBE_GROWTH:
		return xasprintf("X=%u %s %s grows", x, interpreter, workload);
	case PROBE_POPULATION:
		return xasprintf("X=%u more and more %s %s", x, interpreter, workload);
	case PROBE_RAM:
		return xasprintf("X=%.0f with %s", (double)z_kib / 1024, load);
	case PROBE_DISPLACEMENT:
		return xasprintf("X=%u ballast ramp beside %s", x, load);
	}
	return xstrdup("?");
}

/** Redraws the line of what runs just now: "X=256 ballast ramp: load, 87 MiB, 3 s". Called with the lock
 * held.
 */
static void show(const struct run *run)
{
	cleanup_strbuf struct strbuf line = STRBUF_INIT;
	cleanup_free char *left = probe_time_format(run->told.eta_s);

	strbuf_addf(&line, "[%u of about %u, %zu of %zu cells done] ETA %s", run->told.run,
		    run->told.run + run->told.left, run->told.cells_done, run->n, left);
	for (unsigned i = 0; i < run->campaign->jobs; i++) {
		const struct live_guest *g = &run->lives[i].told;

		if (!g->what)
			continue;
		strbuf_addf(&line, " | %s: %s", g->what, g->phase);
		if (g->memory_kib)
			strbuf_addf(&line, ", %.0f MiB", (double)g->memory_kib / 1024);
		strbuf_addf(&line, ", %" PRId64 " s", (clock_ms() - run->lives[i].phase_start_ms) / 1000);
	}
	log_progress("%s", strbuf_str(&line));
}

/** What runs just now, for live_file_write(); it borrows the descriptions. Called with the lock held. */
static struct live_file get_live(const struct run *run)
{
	struct live_file live = {
		.pid = getpid(),
		.jobs = run->campaign->jobs,
		.eta_s = run->told.eta_s,
		.updated_s = clock_unix_s(),
	};

	for (unsigned i = 0; i < run->campaign->jobs; i++)
		if (run->lives[i].told.what)
			live.guests[live.n++] = run->lives[i].told;
	return live;
}

static struct progress get_progress(const struct run *run)
{
	struct progress progress = {
		.run = run->probes_run,
		.left = schedule_left(run->schedule),
		.eta_s = schedule_eta_s(run->schedule, run->campaign->jobs),
	};

	for (size_t i = 0; i < run->n; i++)
		progress.cells_done += schedule_state(run->schedule, i)->replicates_left == 0;
	return progress;
}

/** After whatever was told from the thread of the campaign, and every second. */
static void tick(struct run *run)
{
	if (!run->campaign->shows_progress)
		return;
	pthread_mutex_lock(&run->lock);
	run->told = get_progress(run);
	show(run);

	struct live_file live = get_live(run);

	pthread_mutex_unlock(&run->lock);
	/* Guests do not wait for the disk; and only we free what live borrows. */
	struct err *e = live_file_write(store_live_path(run->campaign->store), &live);

	/* Nobody's results depend on it. */
	if (e && !run->has_live_error)
		log_note("others cannot see what runs just now: %s", err_message(e));
	run->has_live_error |= e != NULL;
	err_free(e);
}

/** Called with the lock held. */
static void set_phase(struct life *life, enum probe_phase phase)
{
	snprintf(life->told.phase, sizeof(life->told.phase), "%s", probe_phase_name(phase));
	life->phase_start_ms = clock_ms();
}

static void tell_start(struct life *life)
{
	if (!life->run->campaign->shows_progress)
		return;
	hold(&life->run->lock);
	life->told = (struct live_guest){
		.slot = life->slot,
		.what = describe(life->cell, life->spec.kind, life->spec.z_kib),
		.start_s = clock_unix_s(),
	};
	memcpy(life->told.cell, life->cell->key, sizeof(life->told.cell) - 1);
	set_phase(life, PHASE_START);
}

static void on_phase(void *arg, enum probe_phase phase)
{
	struct life *life = arg;

	hold(&life->run->lock);
	set_phase(life, phase);
	show(life->run);
}

static void on_load(void *arg, uint64_t load_kib)
{
	struct life *life = arg;

	hold(&life->run->lock);
	life->told.memory_kib = load_kib;
}

static char *take_what(struct life *life)
{
	hold(&life->run->lock);
	return take_ptr(life->told.what);
}

/** The guest is gone. r is NULL when the probe was stopped, or could not be recorded. */
static void tell_end(struct life *life, const struct probe_record *r)
{
	cleanup_free char *what = take_what(life);

	if (!what || !r)
		return;

	struct progress progress = get_progress(life->run);
	bool has_size = (r->kind == PROBE_RAMP || r->kind == PROBE_DISPLACEMENT) && r->onset_t_us >= 0;
	cleanup_free char *held =
		has_size ? xasprintf(" at %.1f MiB", (double)r->load_pages * 4 / 1024) : xstrdup("");
	cleanup_free char *left = probe_time_format(progress.eta_s);

	log_note("[%u of about %u] %s: %s%s%s%s (%.1f s; ETA %s)", progress.run, progress.run + progress.left,
		 what, outcome_name(r->outcome), held, *r->reason ? ": " : "", r->reason,
		 (double)probe_time_ms(r) / 1000, left);
}

/* --- A guest's life */

/**
 * swapcal-<plan>-<process>-<number>, of the letters that every hypervisor takes; two campaigns may run plans
 * of one name.
 */
static char *guest_name(const char *plan_name, unsigned number)
{
	char plan[17];
	size_t len = 0;

	for (; *plan_name && len + 1 < sizeof(plan); plan_name++)
		plan[len++] =
			isalnum((unsigned char)*plan_name) ? (char)tolower((unsigned char)*plan_name) : '-';
	plan[len] = '\0';
	return xasprintf("swapcal-%s-%d-%u", plan, (int)getpid(), number);
}

/** The seed of one probe: its own, and the same whenever the campaign is run. */
static uint64_t probe_seed(uint64_t seed, const struct cell *cell, const struct cell_state *state)
{
	char hex[65];
	cleanup_free char *text =
		xasprintf("%" PRIu64 " %s %u %u", seed, cell->key, state->replicate, state->seq);

	hash_sha256(text, strlen(text), hex);
	/* 15 digits: stays below 2^63, so it passes as an integer everywhere. */
	hex[15] = '\0';
	return strtoull(hex, NULL, 16);
}

/** The image a cell's guests run; NULL when the campaign has none of that name. */
static const struct campaign_image *find_image(const struct campaign *c, const struct cell *cell)
{
	for (size_t i = 0; i < c->images_n; i++) {
		const char *name = json_string_value(json_object_get(c->images[i].image->manifest, "name"));

		if (name && strcmp(name, cell->image) == 0)
			return &c->images[i];
	}
	return NULL;
}

static bool has_load(enum probe_kind kind)
{
	return kind != PROBE_RAMP && kind != PROBE_FIXED;
}

static struct probe_spec make_spec(const struct life *life, const struct cell_state *state)
{
	const struct cell *cell = life->cell;
	bool is_forked = cell_is_forked(cell);
	bool is_ram = state->kind == PROBE_RAM;

	return (struct probe_spec){
		.cell_key = cell->key,
		.replicate = state->replicate,
		.seq = state->seq,
		.kind = state->kind,
		.z_kib = state->z_kib,
		.guest = {
			.name = life->name,
			.accel = cell->accel,
			.icount = cell->icount,
			.ram_mib = is_ram ? (unsigned)(state->z_kib / 1024) : cell->x_mib,
			.swap_mib = cell->settings.swap_mib,
			.scratch_mib = cell->scratch_mib,
			.vcpus = cell->settings.vcpus,
			.cpus = life->cpus,
			.seed = probe_seed(life->run->campaign->seed, cell, state),
			.state_owner = cell_is_restored(cell) ? store_id(life->run->campaign->store) : NULL,
			.state_number = state->replicate,
		},
		.settings = cell->settings,
		.rule = onset_rule_find(cell->onset),
		.tick_ms = cell->tick_ms,
		.settle_ms = cell->settle_ms,
		.ramp_kib_s = cell->ramp_kib_s,
		.processes = is_forked ? 1 : cell->processes,
		.is_forked = is_forked,
		.is_frozen = strcmp(cell->activity, "frozen") == 0,
		.is_unseen = cell_is_weighed(cell, "unseen"),
		.keeps_caches = cell_is_weighed(cell, "keep-caches"),
		.forgets_files = cell_is_weighed(cell, "forget-files"),
	};
}

/** Adds the command of the load. */
static void add_load(struct life *life, const struct image *image)
{
	struct probe_spec *spec = &life->spec;
	struct known_spec known;

	life->command = load_command_create(life->cell, image);
	spec->argv = (const char *const *)life->command.argv;
	spec->env = (const char *const *)life->command.env;
	spec->is_in_image = life->command.is_in_image;
	spec->has_seed = life->command.has_seed;
	spec->has_checkpoints = cell_known(life->cell, &known) || life->cell->checkpoints;
	spec->has_rounds = life->cell->checkpoints && !spec->is_frozen;
}

/**
 * Prepares a guest that answers the next question of a cell, which state has. number is that of the guest in
 * this run, for its name. *ret_missing says why the guest could not answer (to be freed): then it must not
 * begin. Else *ret_missing is NULL.
 */
static struct err *life_prepare(struct life *life, const struct cell *cell, const struct cell_state *state,
				unsigned number, char **ret_missing)
{
	const struct campaign *c = life->run->campaign;
	const struct campaign_image *image = find_image(c, cell);

	if (!image)
		return err_new("the plan's images do not have the cell's, '%s'", cell->image);
	life->cell = cell;
	life->ops_ctx = image->ops_ctx;
	life->name = guest_name(c->name, number);
	/* A single guest may have all CPUs: other threads of QEMU then take none of its time. */
	life->cpus = c->jobs > 1 ? host_cpus(life->slot, c->jobs) : NULL;
	life->spec = make_spec(life, state);
	*ret_missing = has_load(life->spec.kind) ? load_command_missing(cell, image->image) : NULL;
	if (has_load(life->spec.kind) && !*ret_missing)
		add_load(life, image->image);
	return NULL;
}

static void *run_life(void *arg)
{
	struct life *life = arg;
	const struct campaign *campaign = life->run->campaign;
	const struct probe_events events = { life, on_phase, on_load };

	life->error = probe_run(campaign->ops, life->ops_ctx, &life->spec,
				campaign->shows_progress ? &events : NULL, &life->record);
	hold(&life->run->lock);
	life->has_ended = true;
	pthread_cond_signal(&life->run->bell);
	return NULL;
}

/** Starts the guest in a thread. */
static struct err *life_begin(struct life *life)
{
	int errnum = pthread_create(&life->thread, NULL, run_life, life);

	if (errnum)
		return err_errno(errnum, "cannot start a thread for a guest");
	life->is_busy = true;
	return NULL;
}

/** Has the guest ended? Then the caller joins its thread. */
static bool life_has_ended(struct life *life)
{
	hold(&life->run->lock);
	return life->is_busy && life->has_ended;
}

/** Waits for the thread; the result is in life->error or life->record. */
static void life_join(struct life *life)
{
	pthread_join(life->thread, NULL);
	life->is_busy = life->has_ended = false;
}

/** Frees what life_prepare() made. The guest must not be busy. */
static void life_deinit(struct life *life)
{
	load_command_deinit(&life->command);
	free(life->name);
	free(life->cpus);
	free(take_what(life));
	life->command = (struct load_command){ .argv = { NULL } };
	life->name = life->cpus = NULL;
}

/** Ends the run with an error. The user hears of the first one. */
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

/** Tells the schedule what the store has of a cell. */
static struct err *read_cell(struct run *run, size_t i)
{
	struct probe_record *probes;
	size_t n;
	struct err *e = store_probes(run->campaign->store, run->cells[i].key, &probes, &n);

	if (e)
		return e;
	schedule_add_probes(run->schedule, i, probes, n);
	store_probes_free(probes, n);
	return NULL;
}

/** Records the answer to a question (taken over), and tells watchers. */
static struct err *record(struct run *run, struct life *life, struct probe_record *r)
{
	const struct campaign *c = run->campaign;
	struct err *e = store_put_probe(c->store, c->run_id, r);

	if (!e) {
		run->probes_run++;
		schedule_add_probes(run->schedule, life->cell_i, r, 1);
	}
	tell_end(life, e ? NULL : r);
	probe_record_deinit(r);
	return e;
}

/**
 * Makes a failed probe, life->record, of a guest that could not be started. Fails when this host can start no
 * guest.
 */
static struct err *take_start_failure(struct run *run, struct life *life)
{
	struct err *e = life->error;

	life->error = NULL;
	/* A signal in the middle of a start is no fault of the guest. */
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

/** Takes the result of a guest whose thread is done. */
static void finish(struct run *run, struct life *life)
{
	struct err *e = NULL;

	life_join(life);
	schedule_end(run->schedule, life->cell_i, life->spec.replicate, life->spec.seq);
	if (life->error) {
		e = take_start_failure(run, life);
	} else {
		run->has_started = true;
		run->start_failures = 0;
	}
	if (e)
		tell_end(life, NULL);
	else
		e = record(run, life, &life->record);
	life_deinit(life);
	if (e)
		fail(run, e);
}

/** Asks the next question of cell i of a guest in that slot. */
static struct err *begin(struct run *run, struct life *life, size_t i)
{
	cleanup_free char *missing = NULL;

	life->cell_i = i;

	struct err *e =
		life_prepare(life, &run->cells[i], schedule_state(run->schedule, i), run->guests++, &missing);

	if (!e)
		tell_start(life);
	if (!e && missing) {
		life->record = probe_not_applicable(&life->spec, missing);
		e = record(run, life, &life->record);
	} else if (!e) {
		e = life_begin(life);
	}
	if (life->is_busy)
		schedule_begin(run->schedule, i);
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

/** Is a slot free, and may a question be asked now? */
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
	hold(&run->lock);
	while (!has_any_ended(run))
		if (pthread_cond_clockwait(&run->bell, &run->lock, CLOCK_MONOTONIC, &until))
			return;
}

/** Tells the user once why the run does not stop at once. */
static void note_finishing(struct run *run)
{
	if (run->has_told || !cancel_is_finishing() || cancel_requested())
		return;
	run->has_told = true;
	log_note("finishing the probes under way; interrupt again to end their guests at once");
}

/** Asks until no question is left, or none may be asked any more, and all guests are gone. */
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

/** The result of the run. */
static struct err *conclude(struct run *run, struct campaign_result *ret)
{
	struct campaign_result result = { .probes_run = run->probes_run };

	for (size_t i = 0; i < run->n; i++) {
		const struct cell_state *state = schedule_state(run->schedule, i);

		result.replicates_done += state->done;
		result.replicates_lost += state->lost;
		result.replicates_not_applicable += state->not_applicable;
		result.replicates_left += state->replicates_left;
	}
	/* The limit stopped the probes, not the user. */
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

struct err *campaign_run(const struct campaign *campaign, struct campaign_result *ret)
{
	cleanup_free struct run *run = xcalloc(1, sizeof(*run));
	struct err *e = store_cells(campaign->store, &run->cells, &run->n);

	if (e)
		return e;
	run->campaign = campaign;
	run->start_ms = clock_ms();
	run->schedule = schedule_create(run->cells, run->n);
	pthread_mutex_init(&run->lock, NULL);
	pthread_cond_init(&run->bell, NULL);
	for (unsigned i = 0; i < campaign->jobs; i++)
		run->lives[i] = (struct life){ .run = run, .slot = i };
	for (size_t i = 0; !e && i < run->n; i++)
		e = read_cell(run, i);
	if (campaign->retry_failed)
		schedule_forgive(run->schedule);
	if (e)
		fail(run, e);
	else
		run_cells(run);
	e = conclude(run, ret);
	pthread_cond_destroy(&run->bell);
	pthread_mutex_destroy(&run->lock);
	schedule_destroy(run->schedule);
	store_cells_free(run->cells, run->n);
	return e;
}
