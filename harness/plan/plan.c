/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "calibrate/stats/agreement.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/strbuf.h"
#include "harness/image/image.h"
#include "harness/plan/plan-internal.h"

/*
 * Bounds of a plan. Swap: the rule for onset needs
 * room to happen and the guest needs room to go on a little until it is frozen.
 */
#define SWAP_MIN_MIB      64
#define SWAP_MAX_MIB      65536
#define BALLAST_MIB_S_MAX 4096
#define MIN_FREE_MAX_KIB  1048576

static const char *const thp_names[] = { "never", "madvise", "always", NULL };
static const char *const swap_names[] = { "disk", "zram", NULL };
static const char *const start_names[] = { "boot", "restore", NULL };
static const char *const fill_names[] = { "random", "half", "zero", NULL };
static const char *const touch_names[] = { "none", "sweep", "random", NULL };
static const char *const determinism_names[] = { "none", "icount", NULL };

bool plan_is_restored(const struct plan *plan)
{
	return strcmp(plan->start, "restore") == 0;
}

static struct err *parse_mglru(struct yaml_node guest, struct plan *plan)
{
	struct yaml_node node = yaml_get(guest, "mglru");
	struct err *e = NULL;

	plan->mglru_n = 1;
	if (!yaml_is_present(node))
		return NULL;
	plan->mglru_n = yaml_count(node);
	if (plan->mglru_n < 1 || plan->mglru_n > 2)
		return yaml_error(node, "mglru lists false, true, or both once");
	for (size_t i = 0; !e && i < plan->mglru_n; i++)
		e = yaml_bool(yaml_at(node, i), &plan->mglru[i]);
	if (!e && plan->mglru_n == 2 && plan->mglru[0] == plan->mglru[1])
		e = yaml_error(node, "mglru lists a value twice");
	return e;
}

/** What the kernel keeps free must leave even the smallest guest something to use. */
static struct err *parse_min_free(struct yaml_node guest, struct plan *plan)
{
	struct err *e = plan_get_uints(guest, "min_free_kbytes", 0, MIN_FREE_MAX_KIB, 0, &plan->min_free_kib);

	for (size_t x = 0; !e && x < plan->ram_mib.n; x++)
		for (size_t i = 0; !e && i < plan->min_free_kib.n; i++)
			if (plan->min_free_kib.v[i] > plan->ram_mib.v[x] * 1024 / 4)
				e = yaml_error(yaml_get(guest, "min_free_kbytes"),
					       "%u is more than a quarter of a guest of %u MiB",
					       plan->min_free_kib.v[i], plan->ram_mib.v[x]);
	return e;
}

static struct err *parse_guest(struct yaml_node guest, struct plan *plan)
{
	static const char *const keys[] = { "ram_mib", "swap_mib", "swap",  "swappiness", "min_free_kbytes",
					    "thp",     "mglru",    "vcpus", NULL };
	struct yaml_node ram;
	struct err *e = yaml_check_keys(guest, keys);

	if (!e)
		e = yaml_need(guest, "ram_mib", &ram);
	if (!e)
		e = plan_get_uints(guest, "ram_mib", PLAN_RAM_MIN_MIB, PLAN_RAM_MAX_MIB, 0, &plan->ram_mib);
	if (!e)
		e = plan_get_uint(guest, "swap_mib", 1, SWAP_MAX_MIB, 512, &plan->swap_mib);
	if (!e && plan->swap_mib < SWAP_MIN_MIB)
		e = yaml_error(
			yaml_get(guest, "swap_mib"),
			"a swap disk of %u MiB is too small: a guest must be able to swap for a while before "
			"it is frozen; give it %d MiB or more (the disk is sparse)",
			plan->swap_mib, SWAP_MIN_MIB);
	if (!e)
		e = plan_get_uints(guest, "swappiness", 0, 200, 60, &plan->swappiness);
	if (!e)
		e = parse_min_free(guest, plan);
	if (!e)
		e = plan_get_strings(guest, "swap", swap_names, &plan->swap);
	if (!e)
		e = plan_get_strings(guest, "thp", thp_names, &plan->thp);
	if (!e)
		e = parse_mglru(guest, plan);
	if (!e)
		e = plan_get_uints(guest, "vcpus", 1, 64, 1, &plan->vcpus);
	return e;
}

struct err *plan_get_methods(struct yaml_node mapping, const char *key, bool ret[METHOD_COUNT])
{
	struct plan_strings list;
	struct err *e = plan_get_strings(mapping, key, method_names, &list);

	for (size_t i = 0; !e && i < list.n; i++)
		for (size_t m = 0; method_names[m]; m++)
			if (list.v[i] == method_names[m])
				ret[m] = true;
	return e;
}

static struct err *parse_methods(struct yaml_node root, struct plan *plan)
{
	struct yaml_node node;
	struct err *e = yaml_need(root, "method", &node);

	if (!e)
		e = plan_get_methods(root, "method", plan->methods);
	if (!e && plan->methods[METHOD_RAM] && plan->ram_mib.n < 2)
		e = yaml_error(node,
			       "method 'ram' needs two or more sizes in 'ram_mib': it searches between the "
			       "smallest and the largest, and compares with Z* on the line through them");
	/* Every other method compares with Z*, so the threshold of each guest is always found. */
	plan->methods[METHOD_THRESHOLD] = true;
	return e;
}

static struct err *parse_images(struct yaml_node root, struct plan *plan)
{
	struct yaml_node node;
	struct err *e = yaml_need(root, "image", &node);

	return e ? e : plan_get_strings(root, "image", NULL, &plan->images);
}

static struct err *parse_interpreters(struct yaml_node root, struct plan *plan)
{
	struct yaml_node node = yaml_get(root, "interpreters");
	struct err *e = interpreters_load(&plan->interpreters);

	if (e || !yaml_is_present(node))
		return e;
	return interpreters_add(&plan->interpreters, node);
}

static struct err *parse_onset(struct yaml_node root, struct plan *plan)
{
	struct yaml_node node = yaml_get(root, "onset");
	const char *name = "so32";
	struct err *e = yaml_is_present(node) ? yaml_str(node, &name) : NULL;

	if (e)
		return e;
	plan->rule = onset_rule_find(name);
	if (!plan->rule) {
		cleanup_strbuf struct strbuf known = STRBUF_INIT;

		for (size_t i = 0; onset_rule_at(i); i++)
			strbuf_addf(&known, " %s", onset_rule_at(i)->name);
		return yaml_error(node, "no onset rule '%s'; known:%s", name, strbuf_str(&known));
	}
	return NULL;
}

static struct err *parse_ballast(struct yaml_node root, struct plan *plan)
{
	static const char *const keys[] = { "fill", "touch", "rate_mib_s", NULL };
	struct yaml_node node = yaml_get(root, "ballast");

	plan->fill = fill_names[0];
	plan->touch = (struct plan_strings){ { touch_names[0] }, 1 };
	/*
	 * 64 MiB/s: onset came at the same Z from 16 MiB/s to 170 MiB/s under TCG; a tick of 20 ms is 1.3
	 * MiB.
	 */
	plan->ballast_mib_s = 64;
	if (!yaml_is_present(node))
		return NULL;

	struct err *e = yaml_check_keys(node, keys);

	if (!e)
		e = plan_get_choice(node, "fill", fill_names, &plan->fill);
	if (!e)
		e = plan_get_strings(node, "touch", touch_names, &plan->touch);
	if (!e)
		e = plan_get_uint(node, "rate_mib_s", 1, BALLAST_MIB_S_MAX, plan->ballast_mib_s,
				  &plan->ballast_mib_s);
	return e;
}

static struct err *parse_margin(struct yaml_node root, double *ret)
{
	struct yaml_node node = yaml_get(root, "margin_pct");

	*ret = AGREEMENT_MARGIN_PCT;
	return yaml_is_present(node) ? yaml_double(node, 0.01, 100, ret) : NULL;
}

static struct err *parse_plan(struct yaml_node root, struct plan *plan)
{
	static const char *const keys[] = { "name",    "image",       "guest",        "method",    "start",
					    "onset",   "replicates",  "margin_pct",   "seed",      "loads",
					    "ballast", "determinism", "interpreters", "workloads", NULL };
	struct yaml_node name, guest;
	const char *determinism;
	struct err *e = yaml_check_keys(root, keys);

	if (!e)
		e = yaml_need(root, "name", &name);
	if (!e)
		e = yaml_line(name, &plan->name);
	if (!e)
		e = parse_images(root, plan);
	if (!e)
		e = yaml_need(root, "guest", &guest);
	if (!e)
		e = parse_guest(guest, plan);
	if (!e)
		e = parse_methods(root, plan);
	if (!e)
		e = plan_get_choice(root, "start", start_names, &plan->start);
	if (!e)
		e = parse_onset(root, plan);
	if (!e)
		e = plan_get_uint(root, "replicates", 1, 1000, 1, &plan->replicates);
	if (!e)
		e = parse_margin(root, &plan->margin_pct);
	if (!e)
		e = plan_get_uint(root, "seed", 0, 4294967295UL, 1, &plan->seed);
	if (!e)
		e = parse_ballast(root, plan);
	if (!e)
		e = plan_get_choice(root, "determinism", determinism_names, &determinism);
	if (!e)
		plan->icount = strcmp(determinism, "icount") == 0;
	if (!e && plan->icount && plan_is_restored(plan))
		e = yaml_error(
			yaml_get(root, "start"),
			"'restore' is not for 'determinism: icount', whose guests are equal from their "
			"first instruction on: let them boot");
	if (!e)
		e = parse_interpreters(root, plan);
	if (!e && yaml_is_present(yaml_get(root, "workloads")))
		e = yaml_str(yaml_get(root, "workloads"), &plan->workloads_dir);
	return e ? e : plan_parse_loads(root, plan);
}

struct err *plan_load(const char *path, struct plan **ret)
{
	struct plan *plan = xcalloc(1, sizeof(*plan));
	struct err *e = yaml_open(path, &plan->file);

	if (!e)
		e = parse_plan(yaml_root(plan->file), plan);
	if (e) {
		plan_destroy(plan);
		return e;
	}
	plan->text = yaml_text(plan->file);
	*ret = plan;
	return NULL;
}

double plan_text_margin_pct(const char *text)
{
	double margin_pct = AGREEMENT_MARGIN_PCT;
	struct yaml_file *file;
	struct err *e = yaml_parse("plan", text ? text : "", &file);

	if (!e) {
		e = parse_margin(yaml_root(file), &margin_pct);
		yaml_close(file);
	}
	err_free(e);
	return margin_pct;
}

void plan_destroy(struct plan *plan)
{
	if (!plan)
		return;
	interpreters_deinit(&plan->interpreters);
	workloads_deinit(&plan->own);
	yaml_close(plan->file);
	free(plan->loads);
	free(plan);
}
