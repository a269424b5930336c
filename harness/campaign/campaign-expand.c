/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "guest/proto.h"
#include "harness/base/alloc.h"
#include "harness/base/format.h"
#include "harness/base/file.h"
#include "harness/base/strbuf.h"
#include "harness/campaign/campaign.h"
#include "harness/campaign/schedule.h"
#include "harness/cell/cell.h"
#include "harness/vm/domain.h"
#include "harness/vm/guest-vm.h"
#include "harness/image/image.h"
#include "harness/image/rootfs.h"
#include "harness/cell/probe-course.h"
#include "harness/cell/record.h"

/* 20 ms: five timer ticks of a 250 Hz kernel; the ballast moves by 1.3 MiB in it at its usual rate. */
#define SAMPLE_TICK_MS 20

/*
 * A fixed ballast must stay this long without the rule holding: the rule's window, and kswapd's own delays,
 * fit several times.
 */
#define SETTLE_MS 3000

/** sha256 of the programs that run in the guest. */
static void guest_programs_hash(char hex[65])
{
	cleanup_strbuf struct strbuf all = STRBUF_INIT;

	strbuf_add(&all, swapcal_agent, swapcal_agent_len);
	strbuf_add(&all, swapcal_ballast, swapcal_ballast_len);
	strbuf_add(&all, swapcal_known, swapcal_known_len);
	hash_sha256(all.data, all.len, hex);
}

/**
 * Room on the scratch disk of the plan's guests: for the largest load of files. All of its guests have the
 * disk when one needs it, also those of Z*: a mounted file system takes 0.6 MiB from a guest.
 */
static unsigned scratch_mib(const struct plan *plan)
{
	unsigned mib = 0;

	for (size_t i = 0; i < plan->loads_n; i++)
		for (size_t k = 0; k < plan->loads[i].kinds.n; k++)
			if (known_kind_needs_disk((enum known_kind)plan->loads[i].kinds.v[k].number) &&
			    plan->loads[i].mib > mib)
				mib = plan->loads[i].mib;
	return mib;
}

/**
 * What all cells of an image share; image NULL: it is not built. What is not in it: versions of QEMU and of
 * the host's kernel. They are recorded with each run, and a security update must not throw away a night.
 * Strings are borrowed, among them the 64 digits of programs and content.
 */
static struct cell shared_cell(const struct plan *plan, const char *name, const struct image *image,
			       const char *accel, const char *programs, const char *content)
{
	return (struct cell){
		.replicates = plan->replicates,
		.scratch_mib = scratch_mib(plan),
		.image = name,
		.image_content = content,
		.kernel = image ? image_kernel_release(image) : "?",
		.cmdline = guest_vm_cmdline(plan->icount),
		.cpu = DOMAIN_CPU_MODEL,
		.accel = accel,
		.icount = plan->icount,
		.onset = plan->rule->name,
		.onset_version = plan->rule->version,
		.tick_ms = SAMPLE_TICK_MS,
		.ramp_kib_s = plan->ballast_mib_s * 1024,
		.settle_ms = SETTLE_MS,
		.protocol = PROTO_VERSION,
		.agent = programs,
		.workloads = plan->own_key,
		/* Without the blank at its start. */
		.course = &PROBE_COURSE_WORDS[1],
	};
}

struct cell_list {
	const struct plan *plan;
	struct cell *cells;
	size_t n, cap;
};

/**
 * Adds the cell, unless the list has it: loads of a plan may overlap. Returns its key. threshold_key NULL: it
 * is a threshold cell itself.
 */
static const char *add_cell(struct cell_list *list, struct cell cell, const char *threshold_key)
{
	cell_encode(&cell);
	cell.position = (unsigned)list->n;
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->cells[i].key, cell.key) == 0) {
			cell_deinit(&cell);
			return list->cells[i].key;
		}
	memcpy(cell.threshold_key, threshold_key ? threshold_key : cell.key, sizeof(cell.threshold_key));
	*array_push(list->cells, list->n, list->cap) = cell;
	return list->cells[list->n - 1].key;
}

/** How many times longer a load rests that is weighed after a long rest. */
#define LONG_REST 5

/** A workload as one cell has it: one of each of the load's lists. */
struct workload {
	enum method method;
	const char *name, *interpreter, *launch, *size, *activity, *weighing;
	unsigned size_kib, processes;
};

/** In which methods a list of the load has no meaning, so that its values would be the same cell. */
static bool is_repeated(const struct plan_load *load, const struct workload *w)
{
	bool is_alone = w->processes == 1;

	if (w->weighing != load->weighing.v[0].choice && w->method != METHOD_DISPLACEMENT)
		return true;
	/* What grows never rests. */
	if (w->activity != load->activity.v[0].choice && w->method != METHOD_DISPLACEMENT &&
	    w->method != METHOD_RAM)
		return true;
	/* How many processes is what it finds. */
	if (w->method == METHOD_POPULATION)
		return w->processes != load->processes.v[0].number;
	/* One process is forked from nobody. */
	return is_alone && w->launch != load->launch.v[0].choice;
}

static void add_workload(struct cell_list *list, const struct plan_load *load, const struct workload *w,
			 const struct cell *guest, const char *threshold_key)
{
	const struct plan *plan = list->plan;
	const struct interpreter *interpreter = interpreters_find(&plan->interpreters, w->interpreter);
	bool is_population = w->method == METHOD_POPULATION;
	bool is_alone = w->processes == 1 && !is_population;
	bool may_rest = w->method == METHOD_DISPLACEMENT || w->method == METHOD_RAM;
	struct cell cell = *guest;

	if (is_repeated(load, w))
		return;

	cleanup_free char *file = plan_workload_path(plan, w->name, interpreter);
	json_t *command = format_json_strings(interpreter->command);
	json_t *env = format_json_strings((const char *const *)interpreter->env);

	cell.method = method_names[w->method];
	cell.workload = w->name;
	cell.interpreter = w->interpreter;
	cell.processes = is_population ? 0 : w->processes;
	cell.launch = is_alone ? "independent" : w->launch;
	cell.size = w->size;
	cell.size_kib = w->size_kib;
	cell.command = command;
	cell.env = env;
	cell.extension = interpreter->extension;
	cell.file = file;
	cell.activity = may_rest ? w->activity : "-";
	cell.weighing = w->method == METHOD_DISPLACEMENT ? w->weighing : weighing_names[0];
	if (cell_is_weighed(&cell, "tick-5ms"))
		cell.tick_ms = 5;
	else if (cell_is_weighed(&cell, "tick-100ms"))
		cell.tick_ms = 100;
	else if (cell_is_weighed(&cell, "long-rest"))
		cell.settle_ms *= LONG_REST;
	cell.checkpoints = load->has_checkpoints;
	add_cell(list, cell, threshold_key);
	json_decref(command);
	json_decref(env);
}

/**
 * The digits of k, the first list the slowest, where counts are how many values each of n lists has. False
 * when k is beyond all combinations.
 */
static bool get_digits(size_t k, const size_t *counts, size_t n, size_t *ret)
{
	for (size_t i = n; i--; k /= counts[i])
		ret[i] = k % counts[i];
	return k == 0;
}

/** All combinations of a load under one method. */
static void add_workloads(struct cell_list *list, const struct plan_load *load, enum method method,
			  const struct cell *guest, const char *threshold_key)
{
	const size_t counts[] = { load->workloads.n, load->interpreters.n, load->processes.n, load->launch.n,
				  load->sizes.n,     load->activity.n,     load->weighing.n };
	size_t at[COUNT(counts)] = { 0 };

	for (size_t k = 0; get_digits(k, counts, COUNT(counts), at); k++) {
		struct workload w = {
			.method = method,
			.name = load->workloads.v[at[0]].choice,
			.interpreter = load->interpreters.v[at[1]].choice,
			.processes = load->processes.v[at[2]].number,
			.launch = load->launch.v[at[3]].choice,
			.size = load->sizes.v[at[4]].choice,
			.size_kib = load->sizes.v[at[4]].number,
			.activity = load->activity.v[at[5]].choice,
			.weighing = load->weighing.v[at[6]].choice,
		};

		add_workload(list, load, &w, guest, threshold_key);
	}
}

/** One cell for each kind of known-answer load. */
static void add_known(struct cell_list *list, const struct plan_load *load, const struct cell *guest,
		      const char *threshold_key)
{
	cleanup_free char *size = xasprintf("%uM", load->mib);

	for (size_t i = 0; i < load->kinds.n; i++) {
		enum known_kind kind = (enum known_kind)load->kinds.v[i].number;
		bool is_forked = kind == KNOWN_FORKED_COW;
		struct cell cell = *guest;

		cell.method = method_names[METHOD_DISPLACEMENT];
		cell.workload = known_kind_name(kind);
		cell.interpreter = CELL_KNOWN_INTERPRETER;
		cell.children = is_forked ? load->children : 0;
		cell.processes = cell.children + 1;
		cell.launch = is_forked ? "forked" : "independent";
		cell.size = size;
		cell.kib = load->mib * 1024;
		cell.dirty_pct = is_forked ? load->dirty_pct : 0;
		add_cell(list, cell, threshold_key);
	}
}

/** The loads of one guest under its methods; is_ram: under those that search for the guest. */
static void add_loads(struct cell_list *list, const struct cell *guest, const char *threshold_key,
		      bool is_ram)
{
	const struct plan *plan = list->plan;

	for (size_t i = 0; i < plan->loads_n; i++)
		for (int m = METHOD_THRESHOLD + 1; m < METHOD_COUNT; m++) {
			const struct plan_load *load = &plan->loads[i];

			if (!load->methods[m] || (m == METHOD_RAM) != is_ram)
				continue;
			if (load->kinds.n)
				add_known(list, load, guest, threshold_key);
			else
				add_workloads(list, load, (enum method)m, guest, threshold_key);
		}
}

/** The cells of a guest of each size, and of the loads that its size is searched for. */
static void add_sizes(struct cell_list *list, struct cell guest)
{
	const struct plan_values *x = &list->plan->ram_mib;
	char first_key[65] = "";

	guest.x_lo_mib = guest.x_hi_mib = x->v[0].number;
	for (size_t i = 0; i < x->n; i++) {
		struct cell threshold;
		char key[65];

		guest.x_mib = x->v[i].number;
		threshold = guest;
		threshold.method = method_names[METHOD_THRESHOLD];
		threshold.workload = "ballast";
		threshold.processes = 1;
		threshold.interpreter = threshold.launch = threshold.size = "-";
		memcpy(key, add_cell(list, threshold, NULL), sizeof(key));
		add_loads(list, &guest, key, false);
		guest.x_lo_mib = guest.x_mib < guest.x_lo_mib ? guest.x_mib : guest.x_lo_mib;
		guest.x_hi_mib = guest.x_mib > guest.x_hi_mib ? guest.x_mib : guest.x_hi_mib;
		if (i == 0)
			memcpy(first_key, key, sizeof(key));
	}
	/* Each probe has a guest of another size, so that a saved one would serve once. */
	guest.settings.start = "boot";
	add_loads(list, &guest, first_key, true);
}

/** All settings of the guests of one image: those that the plan lists multiply, by the order of their
 * nesting. */
static void add_settings(struct cell_list *list, struct cell guest)
{
	const struct plan_values *nest[SETTINGS_MAX + 2] = { NULL };
	const struct setting *settings[SETTINGS_MAX + 2] = { NULL };
	size_t counts[SETTINGS_MAX], at[SETTINGS_MAX] = { 0 }, depth = 0;
	const struct setting *s;

	for (size_t i = 0; (s = setting_at(i)); i++) {
		const struct plan_values *values = &list->plan->settings[i];

		setting_set(&guest.settings, s, values->v[0]);
		nest[s->nesting] = values;
		settings[s->nesting] = s;
	}
	/* Those at 0 are single. */
	while (nest[depth + 1]) {
		counts[depth] = nest[depth + 1]->n;
		depth++;
	}
	for (size_t k = 0; get_digits(k, counts, depth, at); k++) {
		for (size_t i = 0; i < depth; i++)
			setting_set(&guest.settings, settings[i + 1], nest[i + 1]->v[at[i]]);
		add_sizes(list, guest);
	}
}

void campaign_expand(const struct plan *plan, struct image *const *images, const char *accel,
		     struct cell **ret, size_t *ret_n)
{
	struct cell_list list = { .plan = plan };

	char programs[65];

	guest_programs_hash(programs);
	for (size_t i = 0; i < plan->images.n; i++) {
		char content[65] = "";

		if (images[i])
			image_content_hash(images[i], content);
		add_settings(&list, shared_cell(plan, plan->images.v[i].choice, images[i], accel, programs,
						content));
	}
	*ret = list.cells;
	*ret_n = list.n;
}

/* --- Shards */

struct item {
	uint64_t ms;
	size_t position;
};

static int longest_first(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->ms != y->ms)
		return x->ms < y->ms ? 1 : -1;
	return x->position < y->position ? -1 : 1;
}

static unsigned least_loaded(const uint64_t *load_ms, unsigned n)
{
	unsigned least = 0;

	for (unsigned i = 1; i < n; i++)
		if (load_ms[i] < load_ms[least])
			least = i;
	return least;
}

void shard_assign(const uint64_t *ms, size_t n_cells, unsigned n_shards, unsigned *ret)
{
	cleanup_free struct item *items = xcalloc(n_cells + 1, sizeof(*items));
	cleanup_free uint64_t *load_ms = xcalloc(n_shards, sizeof(*load_ms));

	for (size_t i = 0; i < n_cells; i++)
		items[i] = (struct item){ ms[i], i };
	qsort(items, n_cells, sizeof(*items), longest_first);
	for (size_t i = 0; i < n_cells; i++) {
		unsigned shard = least_loaded(load_ms, n_shards);

		/* A cell counts even when its expected time is 0. */
		load_ms[shard] += items[i].ms + 1;
		ret[items[i].position] = shard;
	}
}

/** In whole milliseconds: their sum is the same on every machine and in any order. */
static uint64_t expected_ms(const struct cell *cell)
{
	unsigned probes = schedule_cell_state(cell, NULL, 0, 0, NULL, 0, 1).probes_left;

	return (uint64_t)(probes * probe_time_typical_s(cell) * 1000);
}

size_t shard_select(const struct shard *shard, struct cell *cells, size_t n)
{
	cleanup_free uint64_t *ms = xcalloc(n + 1, sizeof(*ms));
	cleanup_free unsigned *share = xcalloc(n + 1, sizeof(*share));
	size_t left = 0;

	if (shard->n == 0)
		return n;
	for (size_t i = 0; i < n; i++)
		ms[i] = expected_ms(&cells[i]);
	shard_assign(ms, n, shard->n, share);
	for (size_t i = 0; i < n; i++) {
		if (share[i] == shard->k - 1)
			cells[left++] = cells[i];
		else
			cell_deinit(&cells[i]);
	}
	return left;
}
