/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/plan.h"

#include <stdlib.h>
#include <string.h>

#include "calibrate/agreement.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/strbuf.h"
#include "harness/image-query.h"

/*
 * Bounds of a plan. Swap: the rule for onset needs
 * room to happen and the guest needs room to go on a little until it is frozen.
 */
#define SWAP_MIN_MIB      64
#define SWAP_MAX_MIB      65536
#define BALLAST_MIB_S_MAX 4096

/* Of a known-answer load: what guest/known.c can map, and the largest guest can hold. */
#define KNOWN_MIB_MIN 2
#define KNOWN_MIB_MAX 65536

static const char *const method_names[] = { "threshold", "growth", "displacement", NULL };
static const char *const thp_names[] = { "never", "madvise", "always", NULL };
static const char *const launch_names[] = { "independent", NULL };
static const char *const size_names[] = { "small", NULL };
static const char *const start_names[] = { "boot", NULL };
static const char *const fill_names[] = { "random", "zero", NULL };
static const char *const determinism_names[] = { "none", "icount", NULL };

const char *method_name(enum method method)
{
	return method_names[method];
}

static struct err *check_count(struct yaml_node node)
{
	size_t n = yaml_count(node);

	if (n == 0)
		return yaml_error(node, "the list is empty");
	if (n > PLAN_LIST_MAX)
		return yaml_error(node, "more than %d values", PLAN_LIST_MAX);
	return NULL;
}

/** The numbers of a key, or the default when the key is absent. */
static struct err *get_uints(struct yaml_node mapping, const char *key, unsigned long min, unsigned long max,
			     unsigned fallback, struct plan_uints *ret)
{
	struct yaml_node node = yaml_get(mapping, key);
	struct plan_uints list = { { fallback }, 1 };
	struct err *e = yaml_is_present(node) ? check_count(node) : NULL;

	if (!e && yaml_is_present(node))
		for (list.n = 0; !e && list.n < yaml_count(node); list.n++)
			e = yaml_uint(yaml_at(node, list.n), min, max, &list.v[list.n]);
	for (size_t i = 1; !e && i < list.n; i++)
		for (size_t j = 0; !e && j < i; j++)
			if (list.v[i] == list.v[j])
				e = yaml_error(yaml_at(node, i), "%s lists %u twice", key, list.v[i]);
	if (e)
		return e;
	*ret = list;
	return NULL;
}

static struct err *get_uint(struct yaml_node mapping, const char *key, unsigned long min, unsigned long max,
			    unsigned fallback, unsigned *ret)
{
	struct yaml_node node = yaml_get(mapping, key);

	if (!yaml_is_present(node)) {
		*ret = fallback;
		return NULL;
	}
	return yaml_uint(node, min, max, ret);
}

/**
 * The strings of a key, each one of choices (any when choices is NULL), or the first choice when the key is
 * absent.
 */
static struct err *get_strings(struct yaml_node mapping, const char *key, const char *const *choices,
			       struct plan_strings *ret)
{
	struct yaml_node node;
	struct plan_strings list = { { choices ? choices[0] : NULL }, 1 };

	if (choices && !yaml_is_present(yaml_get(mapping, key))) {
		*ret = list;
		return NULL;
	}

	struct err *e = yaml_need(mapping, key, &node);

	if (!e)
		e = check_count(node);
	for (list.n = 0; !e && list.n < yaml_count(node); list.n++) {
		struct yaml_node item = yaml_at(node, list.n);
		unsigned index;

		e = choices ? yaml_choice(item, choices, &index) : yaml_str(item, &list.v[list.n]);
		if (!e && choices)
			list.v[list.n] = choices[index];
		for (size_t j = 0; !e && j < list.n; j++)
			if (strcmp(list.v[j], list.v[list.n]) == 0)
				e = yaml_error(item, "%s lists '%s' twice", key, list.v[j]);
	}
	if (e)
		return e;
	*ret = list;
	return NULL;
}

static struct err *get_choice(struct yaml_node mapping, const char *key, const char *const *choices,
			      const char **ret)
{
	struct yaml_node node = yaml_get(mapping, key);
	unsigned index = 0;
	struct err *e = yaml_is_present(node) ? yaml_choice(node, choices, &index) : NULL;

	if (!e)
		*ret = choices[index];
	return e;
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

static struct err *parse_guest(struct yaml_node guest, struct plan *plan)
{
	static const char *const keys[] = {
		"ram_mib", "swap_mib", "swappiness", "thp", "mglru", "vcpus", NULL
	};
	struct yaml_node ram;
	struct err *e = yaml_check_keys(guest, keys);

	if (!e)
		e = yaml_need(guest, "ram_mib", &ram);
	if (!e)
		e = get_uints(guest, "ram_mib", PLAN_RAM_MIN_MIB, PLAN_RAM_MAX_MIB, 0, &plan->ram_mib);
	if (!e)
		e = get_uint(guest, "swap_mib", 1, SWAP_MAX_MIB, 512, &plan->swap_mib);
	if (!e && plan->swap_mib < SWAP_MIN_MIB)
		e = yaml_error(
			yaml_get(guest, "swap_mib"),
			"a swap disk of %u MiB is too small: a guest must be able to swap for a while before "
			"it is frozen; give it %d MiB or more (the disk is sparse)",
			plan->swap_mib, SWAP_MIN_MIB);
	if (!e)
		e = get_uints(guest, "swappiness", 0, 200, 60, &plan->swappiness);
	if (!e)
		e = get_strings(guest, "thp", thp_names, &plan->thp);
	if (!e)
		e = parse_mglru(guest, plan);
	if (!e)
		e = get_uint(guest, "vcpus", 1, 64, 1, &plan->vcpus);
	return e;
}

static struct err *parse_workload(struct yaml_node node, const struct plan *plan, struct plan_load *ret)
{
	static const char *const keys[] = { "workload", "interpreter", "processes", "launch", "size", NULL };
	struct yaml_node workload;
	struct err *e = yaml_check_keys(node, keys);

	if (!e)
		e = yaml_need(node, "workload", &workload);
	if (!e)
		e = yaml_str(workload, &ret->workload);
	if (!e && !plan->methods[METHOD_GROWTH])
		e = yaml_error(node,
			       "nothing would run 'workload': method 'growth' does, and 'displacement' needs "
			       "loads of the form 'ballast'");
	if (!e)
		e = get_strings(node, "interpreter", NULL, &ret->interpreters);
	if (!e)
		e = get_uints(node, "processes", 1, 1, 1, &ret->processes);
	if (!e)
		e = get_strings(node, "launch", launch_names, &ret->launch);
	if (!e)
		e = get_choice(node, "size", size_names, &ret->size);
	return e;
}

static struct err *parse_kinds(struct yaml_node node, struct plan_load *ret)
{
	const char *names[KNOWN_COUNT + 1] = { NULL };
	struct plan_strings list;

	for (int i = 0; i < KNOWN_COUNT; i++)
		names[i] = known_kind_name((enum known_kind)i);

	struct err *e = get_strings(node, "ballast", names, &list);

	for (size_t i = 0; !e && i < list.n; i++)
		known_kind_parse(list.v[i], &ret->kinds[ret->kinds_n++]);
	return e;
}

/** What only forked processes have. */
static struct err *parse_forked(struct yaml_node node, struct plan_load *ret)
{
	static const char *const only[] = { "children", "dirty_pct" };
	bool has_forked = false;

	for (size_t i = 0; i < ret->kinds_n; i++)
		has_forked |= ret->kinds[i] == KNOWN_FORKED_COW;
	for (size_t i = 0; !has_forked && i < sizeof(only) / sizeof(only[0]); i++)
		if (yaml_is_present(yaml_get(node, only[i])))
			return yaml_error(yaml_get(node, only[i]), "only '%s' has '%s'",
					  known_kind_name(KNOWN_FORKED_COW), only[i]);

	struct err *e = get_uint(node, "children", 1, 64, 4, &ret->children);

	return e ? e : get_uint(node, "dirty_pct", 0, 100, 25, &ret->dirty_pct);
}

static struct err *parse_known(struct yaml_node node, const struct plan *plan, struct plan_load *ret)
{
	static const char *const keys[] = { "ballast", "mib", "children", "dirty_pct", NULL };
	struct yaml_node mib;
	struct err *e = yaml_check_keys(node, keys);

	if (!e)
		e = parse_kinds(node, ret);
	if (!e)
		e = yaml_need(node, "mib", &mib);
	if (!e)
		e = yaml_uint(mib, KNOWN_MIB_MIN, KNOWN_MIB_MAX, &ret->mib);
	/* Huge pages and page tables come by 2 MiB. */
	if (!e && ret->mib % 2)
		e = yaml_error(mib, "%u is not even", ret->mib);
	if (!e)
		e = parse_forked(node, ret);
	if (!e && !plan->methods[METHOD_DISPLACEMENT])
		e = yaml_error(node, "nothing would run 'ballast': is method 'displacement' meant too?");
	return e;
}

static struct err *parse_loads(struct yaml_node root, struct plan *plan)
{
	struct yaml_node loads = yaml_get(root, "loads");
	size_t n = yaml_count(loads), known_n = 0;
	bool has_use = plan->methods[METHOD_GROWTH] || plan->methods[METHOD_DISPLACEMENT];
	struct err *e = NULL;

	if (n && !has_use)
		return yaml_error(loads, "method 'threshold' has no use for 'loads': is 'growth' meant too?");
	plan->loads = xcalloc(n, sizeof(*plan->loads));
	plan->loads_n = n;
	for (size_t i = 0; !e && i < n; i++) {
		struct yaml_node load = yaml_at(loads, i);
		bool is_known = yaml_is_present(yaml_get(load, "ballast"));

		known_n += is_known;
		e = is_known ? parse_known(load, plan, &plan->loads[i])
			     : parse_workload(load, plan, &plan->loads[i]);
	}
	if (!e && plan->methods[METHOD_GROWTH] && known_n == n)
		e = yaml_error(root, "method 'growth' needs 'loads' with a 'workload'");
	if (!e && plan->methods[METHOD_DISPLACEMENT] && !known_n)
		e = yaml_error(root, "method 'displacement' needs 'loads' with a 'ballast'");
	return e;
}

static struct err *parse_methods(struct yaml_node root, struct plan *plan)
{
	struct plan_strings list;
	struct yaml_node node;
	struct err *e = yaml_need(root, "method", &node);

	if (!e)
		e = get_strings(root, "method", method_names, &list);
	if (e)
		return e;
	for (size_t i = 0; i < list.n; i++)
		for (size_t m = 0; method_names[m]; m++)
			if (list.v[i] == method_names[m])
				plan->methods[m] = true;
	/* Every other method compares with Z*, so the threshold of each guest is always found. */
	plan->methods[METHOD_THRESHOLD] = true;
	return NULL;
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
	static const char *const keys[] = { "fill", "rate_mib_s", NULL };
	struct yaml_node node = yaml_get(root, "ballast");

	plan->fill = fill_names[0];
	/*
	 * 64 MiB/s: onset came at the same Z from 16 MiB/s to 170 MiB/s under TCG; a tick of 20 ms is 1.3
	 * MiB.
	 */
	plan->ballast_mib_s = 64;
	if (!yaml_is_present(node))
		return NULL;

	struct err *e = yaml_check_keys(node, keys);

	if (!e)
		e = get_choice(node, "fill", fill_names, &plan->fill);
	if (!e)
		e = get_uint(node, "rate_mib_s", 1, BALLAST_MIB_S_MAX, plan->ballast_mib_s,
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
	static const char *const keys[] = { "name",    "image",       "guest",      "method", "start",
					    "onset",   "replicates",  "margin_pct", "seed",   "loads",
					    "ballast", "determinism", NULL };
	struct yaml_node name, image, guest;
	const char *start, *determinism;
	struct err *e = yaml_check_keys(root, keys);

	if (!e)
		e = yaml_need(root, "name", &name);
	if (!e)
		e = yaml_str(name, &plan->name);
	if (!e)
		e = yaml_need(root, "image", &image);
	if (!e)
		e = yaml_str(image, &plan->image);
	if (!e)
		e = yaml_need(root, "guest", &guest);
	if (!e)
		e = parse_guest(guest, plan);
	if (!e)
		e = parse_methods(root, plan);
	if (!e)
		e = get_choice(root, "start", start_names, &start);
	if (!e)
		e = parse_onset(root, plan);
	if (!e)
		e = get_uint(root, "replicates", 1, 1000, 1, &plan->replicates);
	if (!e)
		e = parse_margin(root, &plan->margin_pct);
	if (!e)
		e = get_uint(root, "seed", 0, 4294967295UL, 1, &plan->seed);
	if (!e)
		e = parse_ballast(root, plan);
	if (!e)
		e = get_choice(root, "determinism", determinism_names, &determinism);
	if (!e)
		plan->icount = strcmp(determinism, "icount") == 0;
	if (!e)
		e = parse_loads(root, plan);
	return e;
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
	yaml_close(plan->file);
	free(plan->loads);
	free(plan);
}

/**
 * The workloads are files of the tree the image was built from; whether this one has them is known without
 * starting it.
 */
static struct err *check_workload(struct yaml_node load, const struct image *image)
{
	struct yaml_node node = yaml_get(load, "workload");
	const char *name;
	struct err *e = yaml_str(node, &name);

	if (!e && !image_has_workload(image, name)) {
		cleanup_free char *known = image_workload_names(image);

		e = yaml_error(node, "no workload '%s' in the image; it has: %s", name, known);
	}
	return e;
}

struct err *plan_check_image(const struct plan *plan, const struct image *image)
{
	struct yaml_node loads = yaml_get(yaml_root(plan->file), "loads");

	for (size_t i = 0; i < yaml_count(loads); i++) {
		if (plan->loads[i].kinds_n)
			continue;

		struct yaml_node interpreters = yaml_get(yaml_at(loads, i), "interpreter");
		struct err *e = check_workload(yaml_at(loads, i), image);

		for (size_t j = 0; !e && j < yaml_count(interpreters); j++) {
			const char *name = plan->loads[i].interpreters.v[j];
			cleanup_free char *known = image_interpreter_names(image);

			if (!image_interpreter_path(image, name))
				e = yaml_error(yaml_at(interpreters, j),
					       "no interpreter '%s' in image '%s'; it has: %s", name,
					       plan->image, known);
		}
		if (e)
			return e;
	}
	return NULL;
}
