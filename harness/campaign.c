/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/campaign.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/cleanup.h"
#include "harness/base/hash.h"
#include "harness/load-command.h"

/*
 * When so many guests in a row cannot be started, and none could before, it is the host. Later the same may
 * be the trouble of one cell, or pass: it costs that cell one of its attempts.
 */
#define START_FAILURES_MAX 3

/** One execution of a campaign. */
struct run {
	const struct campaign *campaign;
	int64_t forgiven_id; /**< see campaign_cell_state() */
	unsigned probes_run;
	unsigned start_failures;
	bool has_started; /**< some guest could be started */
};

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

/**
 * Lives one guest. One that cannot be started is a failed probe, unless it shows that this host can start
 * none.
 */
static struct err *live(struct run *run, void *ops_ctx, const struct probe_spec *spec,
			struct probe_record *ret)
{
	const struct campaign *c = run->campaign;
	struct err *e = probe_run(c->ops, ops_ctx, spec, c->events.phase, c->events.arg, ret);

	if (!e) {
		run->has_started = true;
		return NULL;
	}
	/* Whatever a signal broke in the middle of a start is no fault of the guest's. */
	if (cancel_requested()) {
		err_free(e);
		return cancel_error();
	}
	if (err_get_kind(e) == ERR_INTERRUPTED)
		return e;
	if (!run->has_started && ++run->start_failures >= START_FAILURES_MAX)
		return err_set_kind(
			err_wrap(e, "%u guests in a row could not be started", run->start_failures),
			ERR_HOST);
	*ret = probe_not_started(spec, err_message(e));
	err_free(e);
	return NULL;
}

/** The image a cell's guests run; NULL when the campaign has none of that name. */
static const struct campaign_image *find_image(const struct campaign *c, const struct cell *cell)
{
	for (size_t i = 0; i < c->images_n; i++) {
		const char *name = json_string_value(json_object_get(c->images[i].image->manifest, "name"));

		if (name && strcmp(name, cell_str(cell, "image")) == 0)
			return &c->images[i];
	}
	return NULL;
}

static bool has_load(enum probe_kind kind)
{
	return kind != PROBE_RAMP && kind != PROBE_FIXED;
}

static struct probe_spec make_spec(const struct run *run, const struct cell *cell,
				   const struct cell_state *state, const char *guest)
{
	bool is_forked = cell_is_forked(cell);
	bool is_ram = state->kind == PROBE_RAM;

	return (struct probe_spec){
		.cell_key = cell->key,
		.replicate = state->replicate,
		.seq = state->seq,
		.kind = state->kind,
		.z_kib = state->z_kib,
		.guest = {
			.name = guest,
			.accel = cell_str(cell, "accel"),
			.icount = cell_bool(cell, "icount"),
			.ram_mib = is_ram ? (unsigned)(state->z_kib / 1024) : cell_uint(cell, "x_mib"),
			.swap_mib = cell_uint(cell, "swap_mib"),
			.scratch_mib = cell_uint(cell, "scratch_mib"),
			.vcpus = cell_uint(cell, "vcpus"),
			.seed = probe_seed(run->campaign->seed, cell, state),
			.state_owner = cell_is_restored(cell) ? store_id(run->campaign->store) : NULL,
			.state_number = state->replicate,
		},
		.swap_kind = cell_str(cell, "swap"),
		.swappiness = cell_uint(cell, "swappiness"),
		.min_free_kib = cell_uint(cell, "min_free_kib"),
		.thp = cell_str(cell, "thp"),
		.mglru = cell_bool(cell, "mglru"),
		.rule = onset_rule_find(cell_str(cell, "onset")),
		.tick_ms = cell_uint(cell, "tick_ms"),
		.settle_ms = cell_uint(cell, "settle_ms"),
		.ramp_kib_s = cell_uint(cell, "ramp_kib_s"),
		.fill = cell_str(cell, "fill"),
		.touch = cell_str(cell, "touch"),
		.processes = is_forked ? 1 : cell_uint(cell, "processes"),
		.is_forked = is_forked,
		.is_frozen = strcmp(cell_str(cell, "activity"), "frozen") == 0,
	};
}

/** Lives the guest of a probe, unless it is known beforehand that it cannot answer. */
static struct err *answer(struct run *run, const struct cell *cell, struct probe_spec *spec,
			  struct probe_record *ret)
{
	const struct campaign_image *image = find_image(run->campaign, cell);
	cleanup(load_command_deinit) struct load_command command = { .argv = { NULL } };
	struct known_spec known;

	if (!image)
		return err_new("the plan's images do not have the cell's, '%s'", cell_str(cell, "image"));

	cleanup_free char *missing = has_load(spec->kind) ? load_command_missing(cell, image->image) : NULL;

	if (missing) {
		*ret = probe_not_applicable(spec, missing);
		return NULL;
	}
	if (has_load(spec->kind)) {
		command = load_command_create(cell, image->image);
		spec->argv = (const char *const *)command.argv;
		spec->env = (const char *const *)command.env;
		spec->is_in_image = command.is_in_image;
		spec->has_seed = command.has_seed;
		spec->has_checkpoints = cell_known(cell, &known) || cell_bool(cell, "checkpoints");
		spec->has_rounds = cell_bool(cell, "checkpoints") && !spec->is_frozen;
	}
	return live(run, image->ops_ctx, spec, ret);
}

static struct err *run_probe(struct run *run, const struct cell *cell, const struct cell_state *state,
			     unsigned left)
{
	const struct campaign *c = run->campaign;
	cleanup_free char *name = guest_name(c->name, run->probes_run);
	struct probe_spec spec = make_spec(run, cell, state, name);
	struct probe_record record;

	if (c->events.probe_start)
		c->events.probe_start(c->events.arg, cell, &spec, run->probes_run, left);

	struct err *e = answer(run, cell, &spec, &record);

	if (e)
		return e;
	e = store_put_probe(c->store, c->run_id, &record);
	run->probes_run += !e;
	if (!e && c->events.probe_end)
		c->events.probe_end(c->events.arg, cell, &record, run->probes_run, left ? left - 1 : 0);
	probe_record_deinit(&record);
	return e;
}

/** The state of a cell from its probes in the store, and their number. */
static struct err *cell_state(const struct run *run, const struct cell *cell, struct cell_state *ret,
			      size_t *ret_n)
{
	struct probe_record *probes;
	size_t n;
	struct err *e = store_probes(run->campaign->store, cell->key, &probes, &n);

	if (e)
		return e;
	*ret = campaign_cell_state(cell, probes, n, run->forgiven_id);
	*ret_n = n;
	store_probes_free(probes, n);
	return NULL;
}

/**
 * The cell to ask next: of those with something to ask, the one with the fewest probes, so that a run cut
 * short has covered everything once before anything twice. It follows from the recorded probes alone, so a
 * resumed run asks in the same order.
 */
static struct err *choose_cell(const struct run *run, const struct cell *cells, size_t n,
			       const struct cell **ret, struct cell_state *ret_state, unsigned *ret_left)
{
	size_t fewest = SIZE_MAX;

	*ret = NULL;
	*ret_left = 0;
	for (size_t i = 0; i < n; i++) {
		struct cell_state state;
		size_t probes_n;
		struct err *e = cell_state(run, &cells[i], &state, &probes_n);

		if (e)
			return e;
		*ret_left += state.probes_left;
		if (state.has_next && probes_n < fewest) {
			fewest = probes_n;
			*ret = &cells[i];
			*ret_state = state;
		}
	}
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

/** Probes until nothing is left to ask. */
static struct err *run_cells(struct run *run, const struct cell *cells, size_t n)
{
	for (;;) {
		const struct cell *cell;
		struct cell_state state = { 0 };
		unsigned left;
		struct err *e = choose_cell(run, cells, n, &cell, &state, &left);

		if (!e && !cell)
			return NULL;
		/* Else a wish to stop that comes between two guests is heard by the next one only. */
		if (!e && cancel_requested())
			e = cancel_error();
		if (!e)
			e = run_probe(run, cell, &state, left);
		if (e)
			return e;
	}
}

static struct err *count_replicates(const struct run *run, const struct cell *cells, size_t n,
				    struct campaign_result *ret)
{
	for (size_t i = 0; i < n; i++) {
		struct cell_state state;
		size_t probes_n;
		struct err *e = cell_state(run, &cells[i], &state, &probes_n);

		if (e)
			return e;
		ret->replicates_done += state.done;
		ret->replicates_lost += state.lost;
		ret->replicates_not_applicable += state.not_applicable;
	}
	return NULL;
}

struct err *campaign_run(const struct campaign *campaign, struct campaign_result *ret)
{
	struct run run = { .campaign = campaign };
	struct campaign_result result = { 0 };
	struct cell *cells;
	size_t n;
	struct err *e = campaign->retry_failed ? last_probe_id(campaign->store, &run.forgiven_id) : NULL;

	if (!e)
		e = store_cells(campaign->store, &cells, &n);
	if (e)
		return e;
	e = run_cells(&run, cells, n);
	result.probes_run = run.probes_run;
	if (!e)
		e = count_replicates(&run, cells, n, &result);
	store_cells_free(cells, n);
	if (!e)
		*ret = result;
	return e;
}
