/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "guest/proto.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/hash.h"
#include "harness/base/strbuf.h"
#include "harness/campaign/campaign.h"
#include "harness/cell/cell.h"
#include "harness/vm/domain.h"
#include "harness/vm/guest-vm.h"
#include "harness/image/image.h"
#include "harness/image/initramfs.h"
#include "harness/plan/load-command.h"
#include "harness/cell/probe-course.h"

/* 20 ms: five timer ticks of a 250 Hz kernel; the ballast moves by 1.3 MiB in it at its usual rate. */
#define SAMPLE_TICK_MS 20

/*
 * A fixed ballast must stay this long without the rule holding: the rule's window, and kswapd's own delays,
 * fit several times.
 */
#define SETTLE_MS 3000

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** sha256 of the programs that run in the guest. */
static void guest_programs_hash(char hex[65])
{
	cleanup_strbuf struct strbuf all = STRBUF_INIT;
	struct initramfs_blob agent = initramfs_agent(), ballast = initramfs_ballast(),
			      known = initramfs_known();

	strbuf_add(&all, agent.data, agent.len);
	strbuf_add(&all, ballast.data, ballast.len);
	strbuf_add(&all, known.data, known.len);
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
		for (size_t k = 0; k < plan->loads[i].kinds_n; k++)
			if (known_kind_needs_disk(plan->loads[i].kinds[k]) && plan->loads[i].mib > mib)
				mib = plan->loads[i].mib;
	return mib;
}

/**
 * The part of the identity that all cells of an image share; image NULL: it is not built. What is not in it:
 * versions of QEMU and of the host's kernel. They are recorded with each run, and a security update must not
 * throw away a night.
 */
static json_t *shared_identity(const struct plan *plan, const char *name, const struct image *image,
			       const char *accel)
{
	char programs[65], content[65] = "";

	guest_programs_hash(programs);
	if (image)
		image_content_hash(image, content);
	return json_pack("{s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:i, s:i, s:i, s:i, "
			 "s:i, s:s, s:s, s:s}",
			 "swap_mib", (int)plan->swap_mib, "scratch_mib", (int)scratch_mib(plan), "image",
			 name, "image_content", content, "kernel", image ? image_kernel_release(image) : "?",
			 "cmdline", guest_vm_cmdline(plan->icount), "cpu", DOMAIN_CPU_MODEL, "accel", accel,
			 "icount", (int)plan->icount, "start", plan->start, "onset", plan->rule->name,
			 "onset_version", (int)plan->rule->version, "tick_ms", SAMPLE_TICK_MS, "ramp_kib_s",
			 (int)plan->ballast_mib_s * 1024, "settle_ms", SETTLE_MS, "protocol", PROTO_VERSION,
			 "agent", programs, "fill", plan->fill, "workloads", plan->own_key);
}

static void set_load(json_t *identity, enum method method, const char *workload, const char *interpreter,
		     unsigned processes, const char *launch, const char *size)
{
	json_object_set_new(identity, "method", json_string(method_name(method)));
	json_object_set_new(identity, "workload", json_string(workload));
	json_object_set_new(identity, "interpreter", json_string(interpreter));
	json_object_set_new(identity, "processes", json_integer(processes));
	json_object_set_new(identity, "launch", json_string(launch));
	json_object_set_new(identity, "size", json_string(size));
}

struct cell_list {
	const struct plan *plan;
	struct cell *cells;
	size_t n, cap;
};

/**
 * Adds a cell of this identity (taken over), unless the list has it: loads of a plan may overlap. Returns its
 * key. threshold_key NULL: it is a threshold cell itself.
 */
static const char *add_cell(struct cell_list *list, json_t *identity, const char *threshold_key)
{
	cleanup_free char *text = json_dumps(identity, JSON_COMPACT | JSON_SORT_KEYS);
	struct cell cell = { .position = (unsigned)list->n, .replicates = list->plan->replicates };

	hash_sha256(text, strlen(text), cell.key);
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->cells[i].key, cell.key) == 0) {
			json_decref(identity);
			return list->cells[i].key;
		}
	memcpy(cell.threshold_key, threshold_key ? threshold_key : cell.key, sizeof(cell.threshold_key));
	cell.identity = identity;
	*array_push(list->cells, list->n, list->cap) = cell;
	return list->cells[list->n - 1].key;
}

static json_t *string_array(const char *const *strings)
{
	json_t *array = json_array();

	for (; *strings; strings++)
		json_array_append_new(array, json_string(*strings));
	return array;
}

/** How the interpreter of that name is started. */
static void set_interpreter(json_t *identity, const struct plan *plan, const char *name)
{
	const struct interpreter *interpreter = interpreters_find(&plan->interpreters, name);

	json_object_set_new(identity, "command", string_array(interpreter->command));
	json_object_set_new(identity, "env", string_array((const char *const *)interpreter->env));
	json_object_set_new(identity, "extension", json_string(interpreter->extension));
}

/** The program that the workload is. */
static void set_file(json_t *identity, const struct plan *plan, const char *workload, const char *interpreter)
{
	cleanup_free char *path =
		plan_workload_path(plan, workload, interpreters_find(&plan->interpreters, interpreter));

	json_object_set_new(identity, "file", json_string(path));
}

/** A workload as one cell has it: one of each of the load's lists. */
struct workload {
	enum method method;
	const char *name, *interpreter, *launch, *size, *activity;
	unsigned processes;
};

/** In which methods a list of the load has no meaning, so that its values would be the same cell. */
static bool is_repeated(const struct plan_load *load, const struct workload *w)
{
	bool is_alone = w->processes == 1;

	/* What grows never rests. */
	if (w->activity != load->activity.v[0] && w->method != METHOD_DISPLACEMENT && w->method != METHOD_RAM)
		return true;
	/* How many processes is what it finds. */
	if (w->method == METHOD_POPULATION)
		return w->processes != load->processes.v[0];
	/* One process is forked from nobody. */
	return is_alone && w->launch != load->launch.v[0];
}

static void add_workload(struct cell_list *list, const struct plan_load *load, const struct workload *w,
			 const json_t *guest, const char *threshold_key)
{
	bool is_population = w->method == METHOD_POPULATION;
	bool is_alone = w->processes == 1 && !is_population;
	bool may_rest = w->method == METHOD_DISPLACEMENT || w->method == METHOD_RAM;
	json_t *identity;
	unsigned kib = 0;

	if (is_repeated(load, w))
		return;
	identity = json_copy((json_t *)guest);
	plan_size_kib(w->size, &kib);
	set_load(identity, w->method, w->name, w->interpreter, is_population ? 0 : w->processes,
		 is_alone ? "independent" : w->launch, w->size);
	set_interpreter(identity, list->plan, w->interpreter);
	set_file(identity, list->plan, w->name, w->interpreter);
	json_object_set_new(identity, "size_kib", json_integer(kib));
	json_object_set_new(identity, "activity", json_string(may_rest ? w->activity : "-"));
	json_object_set_new(identity, "checkpoints", json_boolean(load->has_checkpoints));
	add_cell(list, identity, threshold_key);
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
			  const json_t *guest, const char *threshold_key)
{
	const size_t counts[] = { load->workloads.n, load->interpreters.n, load->processes.n,
				  load->launch.n,    load->sizes.n,        load->activity.n };
	size_t at[COUNT(counts)] = { 0 };

	for (size_t k = 0; get_digits(k, counts, COUNT(counts), at); k++) {
		struct workload w = {
			.method = method,
			.name = load->workloads.v[at[0]],
			.interpreter = load->interpreters.v[at[1]],
			.processes = load->processes.v[at[2]],
			.launch = load->launch.v[at[3]],
			.size = load->sizes.v[at[4]],
			.activity = load->activity.v[at[5]],
		};

		add_workload(list, load, &w, guest, threshold_key);
	}
}

/** One cell for each kind of known-answer load. */
static void add_known(struct cell_list *list, const struct plan_load *load, const json_t *guest,
		      const char *threshold_key)
{
	for (size_t i = 0; i < load->kinds_n; i++) {
		json_t *identity = json_copy((json_t *)guest);
		bool is_forked = load->kinds[i] == KNOWN_FORKED_COW;
		unsigned children = is_forked ? load->children : 0;
		cleanup_free char *size = xasprintf("%uM", load->mib);

		set_load(identity, METHOD_DISPLACEMENT, known_kind_name(load->kinds[i]),
			 CELL_KNOWN_INTERPRETER, children + 1, is_forked ? "forked" : "independent", size);
		json_object_set_new(identity, "kib", json_integer((json_int_t)load->mib * 1024));
		json_object_set_new(identity, "children", json_integer(children));
		json_object_set_new(identity, "dirty_pct", json_integer(is_forked ? load->dirty_pct : 0));
		add_cell(list, identity, threshold_key);
	}
}

/** The loads of one guest under its methods; is_ram: under those that search for the guest. */
static void add_loads(struct cell_list *list, const json_t *guest, const char *threshold_key, bool is_ram)
{
	const struct plan *plan = list->plan;

	for (size_t i = 0; i < plan->loads_n; i++)
		for (int m = METHOD_THRESHOLD + 1; m < METHOD_COUNT; m++) {
			const struct plan_load *load = &plan->loads[i];

			if (!load->methods[m] || (m == METHOD_RAM) != is_ram)
				continue;
			if (load->kinds_n)
				add_known(list, load, guest, threshold_key);
			else
				add_workloads(list, load, (enum method)m, guest, threshold_key);
		}
}

/** The cells of a guest of each size, and of the loads that its size is searched for. */
static void add_sizes(struct cell_list *list, const json_t *settings)
{
	const struct plan_uints *x = &list->plan->ram_mib;
	unsigned lo = x->v[0], hi = x->v[0];
	char first_key[65] = "";

	for (size_t i = 0; i < x->n; i++) {
		json_t *guest = json_copy((json_t *)settings), *threshold;
		char key[65];

		json_object_set_new(guest, "x_mib", json_integer(x->v[i]));
		threshold = json_copy(guest);
		set_load(threshold, METHOD_THRESHOLD, "ballast", "-", 1, "-", "-");
		memcpy(key, add_cell(list, threshold, NULL), sizeof(key));
		add_loads(list, guest, key, false);
		json_decref(guest);
		lo = x->v[i] < lo ? x->v[i] : lo;
		hi = x->v[i] > hi ? x->v[i] : hi;
		if (i == 0)
			memcpy(first_key, key, sizeof(key));
	}

	json_t *guest = json_copy((json_t *)settings);

	json_object_set_new(guest, "x_lo_mib", json_integer(lo));
	json_object_set_new(guest, "x_hi_mib", json_integer(hi));
	/* Each probe has a guest of another size, so that a saved one would serve once. */
	json_object_set_new(guest, "start", json_string("boot"));
	add_loads(list, guest, first_key, true);
	json_decref(guest);
}

/** All settings of the guests of one image. */
static void add_settings(struct cell_list *list, const json_t *shared)
{
	const struct plan *plan = list->plan;
	const size_t counts[] = { plan->swap.n,       plan->vcpus.n, plan->min_free_kib.n, plan->touch.n,
				  plan->swappiness.n, plan->thp.n,   plan->mglru_n };
	size_t at[COUNT(counts)] = { 0 };

	for (size_t k = 0; get_digits(k, counts, COUNT(counts), at); k++) {
		json_t *settings = json_copy((json_t *)shared);

		json_object_set_new(settings, "swap", json_string(plan->swap.v[at[0]]));
		json_object_set_new(settings, "vcpus", json_integer(plan->vcpus.v[at[1]]));
		json_object_set_new(settings, "min_free_kib", json_integer(plan->min_free_kib.v[at[2]]));
		json_object_set_new(settings, "touch", json_string(plan->touch.v[at[3]]));
		json_object_set_new(settings, "swappiness", json_integer(plan->swappiness.v[at[4]]));
		json_object_set_new(settings, "thp", json_string(plan->thp.v[at[5]]));
		json_object_set_new(settings, "mglru", json_boolean(plan->mglru[at[6]]));
		add_sizes(list, settings);
		json_decref(settings);
	}
}

void campaign_expand(const struct plan *plan, struct image *const *images, const char *accel,
		     struct cell **ret, size_t *ret_n)
{
	struct cell_list list = { .plan = plan };

	for (size_t i = 0; i < plan->images.n; i++) {
		json_t *shared = shared_identity(plan, plan->images.v[i], images[i], accel);

		/* Without the blank at its start. */
		json_object_set_new(shared, "course", json_string(&PROBE_COURSE_WORDS[1]));
		add_settings(&list, shared);
		json_decref(shared);
	}
	*ret = list.cells;
	*ret_n = list.n;
}
