/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "guest/proto.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/hash.h"
#include "harness/base/strbuf.h"
#include "harness/campaign.h"
#include "harness/domain.h"
#include "harness/guest-vm.h"
#include "harness/image-query.h"
#include "harness/initramfs.h"
#include "harness/load-command.h"

/* 20 ms: five timer ticks of a 250 Hz kernel; the ballast moves by 1.3 MiB in it at its usual rate. */
#define TICK_MS 20

/* What known-answer loads have in the place of an interpreter. */
#define KNOWN_INTERPRETER "ballast"

/*
 * A fixed ballast must stay this long without the rule holding: the rule's window, and kswapd's own delays,
 * fit several times.
 */
#define SETTLE_MS 3000

const char *cell_str(const struct cell *cell, const char *key)
{
	const char *s = json_string_value(json_object_get(cell->identity, key));

	return s ? s : "";
}

unsigned cell_uint(const struct cell *cell, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(cell->identity, key));

	return v > 0 && v <= UINT32_MAX ? (unsigned)v : 0;
}

bool cell_bool(const struct cell *cell, const char *key)
{
	return json_is_true(json_object_get(cell->identity, key));
}

bool cell_is(const struct cell *cell, enum method method)
{
	return strcmp(cell_str(cell, "method"), method_name(method)) == 0;
}

bool cell_known(const struct cell *cell, struct known_spec *ret)
{
	struct known_spec spec = {
		.kib = cell_uint(cell, "kib"),
		.children = cell_uint(cell, "children"),
		.dirty_pct = cell_uint(cell, "dirty_pct"),
	};

	if (strcmp(cell_str(cell, "interpreter"), KNOWN_INTERPRETER) != 0 ||
	    !known_kind_parse(cell_str(cell, "workload"), &spec.kind))
		return false;
	if (!spec.kib || spec.kib % 2048 || spec.dirty_pct > 100 || spec.children > 64 ||
	    (spec.kind == KNOWN_FORKED_COW) != (spec.children > 0))
		return false;
	*ret = spec;
	return true;
}

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
 * The part of the identity that all cells of a plan share. What is not in it: versions of QEMU and of the
 * host's kernel. They are recorded with each run, and a security update must not throw away a night.
 */
static json_t *shared_identity(const struct plan *plan, const struct image *image, const char *accel)
{
	char programs[65], content[65];

	guest_programs_hash(programs);
	image_content_hash(image, content);
	return json_pack("{s:i, s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:i, s:i, s:i, s:i, "
			 "s:i, s:s, s:s}",
			 "swap_mib", (int)plan->swap_mib, "scratch_mib", (int)scratch_mib(plan), "vcpus",
			 (int)plan->vcpus, "image", plan->image, "image_content", content, "kernel",
			 image_kernel_release(image), "cmdline", guest_vm_cmdline(plan->icount), "cpu",
			 DOMAIN_CPU_MODEL, "accel", accel, "icount", (int)plan->icount, "start", "boot",
			 "onset", plan->rule->name, "onset_version", (int)plan->rule->version, "tick_ms",
			 TICK_MS, "ramp_kib_s", (int)plan->ballast_mib_s * 1024, "settle_ms", SETTLE_MS,
			 "protocol", PROTO_VERSION, "agent", programs, "fill", plan->fill);
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
	json_object_set_new(identity, "step_kib", json_integer(method == METHOD_GROWTH ? LOAD_STEP_KIB : 0));
}

struct cell_list {
	struct cell *cells;
	size_t n, cap;
};

/** Adds a cell of this identity (taken over). threshold_key NULL: it is a threshold cell itself. */
static const char *add_cell(struct cell_list *list, json_t *identity, unsigned replicates,
			    const char *threshold_key)
{
	struct cell *cell = array_push(list->cells, list->n, list->cap);
	cleanup_free char *text = json_dumps(identity, JSON_COMPACT | JSON_SORT_KEYS);

	cell->identity = identity;
	cell->position = (unsigned)(list->n - 1);
	cell->replicates = replicates;
	hash_sha256(text, strlen(text), cell->key);
	memcpy(cell->threshold_key, threshold_key ? threshold_key : cell->key, sizeof(cell->threshold_key));
	return cell->key;
}

static void add_load(struct cell_list *list, const struct plan *plan, const struct plan_load *load,
		     const json_t *guest, const char *threshold_key)
{
	for (size_t i = 0; i < load->interpreters.n; i++)
		for (size_t p = 0; p < load->processes.n; p++)
			for (size_t l = 0; l < load->launch.n; l++) {
				json_t *identity = json_copy((json_t *)guest);

				set_load(identity, METHOD_GROWTH, load->workload, load->interpreters.v[i],
					 load->processes.v[p], load->launch.v[l], load->size);
				add_cell(list, identity, plan->replicates, threshold_key);
			}
}

/** One cell for each kind of known-answer load. */
static void add_known(struct cell_list *list, const struct plan *plan, const struct plan_load *load,
		      const json_t *guest, const char *threshold_key)
{
	for (size_t i = 0; i < load->kinds_n; i++) {
		json_t *identity = json_copy((json_t *)guest);
		bool is_forked = load->kinds[i] == KNOWN_FORKED_COW;
		unsigned children = is_forked ? load->children : 0;
		cleanup_free char *size = xasprintf("%uM", load->mib);

		set_load(identity, METHOD_DISPLACEMENT, known_kind_name(load->kinds[i]), KNOWN_INTERPRETER,
			 children + 1, is_forked ? "forked" : "independent", size);
		json_object_set_new(identity, "kib", json_integer((json_int_t)load->mib * 1024));
		json_object_set_new(identity, "children", json_integer(children));
		json_object_set_new(identity, "dirty_pct", json_integer(is_forked ? load->dirty_pct : 0));
		add_cell(list, identity, plan->replicates, threshold_key);
	}
}

/** The cells of one guest: its threshold, then each load. Takes over guest. */
static void add_guest(struct cell_list *list, const struct plan *plan, json_t *guest)
{
	char threshold_key[65];
	json_t *identity = json_copy(guest);

	set_load(identity, METHOD_THRESHOLD, "ballast", "-", 1, "-", "-");
	memcpy(threshold_key, add_cell(list, identity, plan->replicates, NULL), sizeof(threshold_key));
	for (size_t i = 0; i < plan->loads_n; i++)
		(plan->loads[i].kinds_n ? add_known : add_load)(list, plan, &plan->loads[i], guest,
								threshold_key);
	json_decref(guest);
}

void campaign_expand(const struct plan *plan, const struct image *image, const char *accel, struct cell **ret,
		     size_t *ret_n)
{
	json_t *shared = shared_identity(plan, image, accel);
	struct cell_list list = { NULL, 0, 0 };

	for (size_t x = 0; x < plan->ram_mib.n; x++)
		for (size_t s = 0; s < plan->swappiness.n; s++)
			for (size_t t = 0; t < plan->thp.n; t++)
				for (size_t m = 0; m < plan->mglru_n; m++) {
					json_t *guest = json_copy(shared);

					json_object_set_new(guest, "x_mib", json_integer(plan->ram_mib.v[x]));
					json_object_set_new(guest, "swappiness",
							    json_integer(plan->swappiness.v[s]));
					json_object_set_new(guest, "thp", json_string(plan->thp.v[t]));
					json_object_set_new(guest, "mglru", json_boolean(plan->mglru[m]));
					add_guest(&list, plan, guest);
				}
	json_decref(shared);
	*ret = list.cells;
	*ret_n = list.n;
}
