/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/campaign/campaign-internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/hash.h"
#include "harness/cell/cell.h"
#include "harness/host/cpus.h"

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
			.seed = probe_seed(life->campaign->seed, cell, state),
			.state_owner = cell_is_restored(cell) ? store_id(life->campaign->store) : NULL,
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

struct err *life_prepare(struct life *life, const struct cell *cell, const struct cell_state *state,
			 unsigned number, char **ret_missing)
{
	const struct campaign *c = life->campaign;
	const struct campaign_image *image = find_image(c, cell);

	if (!image)
		return err_new("the plan's images do not have the cell's, '%s'", cell->image);
	life->cell = cell;
	life->ops_ctx = image->ops_ctx;
	life->name = guest_name(c->name, number);
	/* A single guest may have them all: what QEMU does beside its guest then costs that no time. */
	life->cpus = c->jobs > 1 ? cpus_own_share(life->slot, c->jobs) : NULL;
	life->spec = make_spec(life, state);
	*ret_missing = has_load(life->spec.kind) ? load_command_missing(cell, image->image) : NULL;
	if (has_load(life->spec.kind) && !*ret_missing)
		add_load(life, image->image);
	return NULL;
}

static void on_phase(void *arg, enum probe_phase phase)
{
	const struct life *life = arg;
	const struct campaign_events *events = &life->campaign->events;

	if (events->probe_phase)
		events->probe_phase(events->arg, life->slot, phase);
}

static void on_load(void *arg, uint64_t load_kib)
{
	const struct life *life = arg;
	const struct campaign_events *events = &life->campaign->events;

	if (events->probe_load)
		events->probe_load(events->arg, life->slot, load_kib);
}

static void *run_life(void *arg)
{
	struct life *life = arg;
	const struct probe_events events = { life, on_phase, on_load };

	life->error = probe_run(life->campaign->ops, life->ops_ctx, &life->spec, &events, &life->record);
	pthread_mutex_lock(&life->bell->lock);
	life->has_ended = true;
	pthread_cond_signal(&life->bell->rung);
	pthread_mutex_unlock(&life->bell->lock);
	return NULL;
}

struct err *life_begin(struct life *life)
{
	int errnum = pthread_create(&life->thread, NULL, run_life, life);

	if (errnum)
		return err_errno(errnum, "cannot start a thread for a guest");
	life->is_busy = true;
	return NULL;
}

bool life_has_ended(struct life *life)
{
	pthread_mutex_lock(&life->bell->lock);

	bool has_ended = life->is_busy && life->has_ended;

	pthread_mutex_unlock(&life->bell->lock);
	return has_ended;
}

void life_join(struct life *life)
{
	pthread_join(life->thread, NULL);
	life->is_busy = life->has_ended = false;
}

void life_deinit(struct life *life)
{
	load_command_deinit(&life->command);
	free(life->name);
	free(life->cpus);
	life->command = (struct load_command){ .argv = { NULL } };
	life->name = life->cpus = NULL;
}
