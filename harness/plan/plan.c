/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/plan/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/stats/agreement.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/strbuf.h"
#include "harness/cell/method.h"
#include "harness/image/image.h"

/* Faster than any guest can fill its memory. */
#define BALLAST_MIB_S_MAX 4096

static const char *const determinism_names[] = { "none", "icount", NULL };

/* Values of a plan's keys: each a list or a single value, checked. */

static struct err *check_count(struct yaml_node node)
{
	size_t n = yaml_count(node);

	if (n == 0)
		return yaml_error(node, "the list is empty");
	if (n > PLAN_LIST_MAX)
		return yaml_error(node, "more than %d values", PLAN_LIST_MAX);
	return NULL;
}

/** The numbers of a key, each within [min, max] and none twice, or the fallback when the key is absent. */
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
 * The strings of a key, none twice, each one of choices, or the first choice when the key is absent. choices
 * NULL: any, and the key must be there.
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

		e = choices ? yaml_choice(item, choices, &index) : yaml_line(item, &list.v[list.n]);
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

/** The methods that a key lists, as a set. */
static struct err *get_methods(struct yaml_node mapping, const char *key, bool ret[METHOD_COUNT])
{
	struct plan_strings list;
	struct err *e = get_strings(mapping, key, method_names, &list);

	for (size_t i = 0; !e && i < list.n; i++)
		for (size_t m = 0; method_names[m]; m++)
			if (list.v[i] == method_names[m])
				ret[m] = true;
	return e;
}

/* Of a known-answer load: what guest/loads/known.c can map, and the largest guest can hold. */
#define KNOWN_MIB_MIN 2
#define KNOWN_MIB_MAX 65536

/* Payload of one process under the named sizes, and the largest that can be written as a number. */
#define SMALL_MIB    8
#define LARGE_MIB    64
#define SIZE_MAX_MIB 65536

static const char *const launch_names[] = { "independent", "forked", NULL };
static const char *const activity_names[] = { "running", "frozen", NULL };

bool plan_size_kib(const char *size, unsigned *ret)
{
	char *end;
	unsigned long mib;

	if (strcmp(size, "small") == 0 || strcmp(size, "large") == 0) {
		*ret = (*size == 's' ? SMALL_MIB : LARGE_MIB) * 1024;
		return true;
	}
	if (*size < '0' || *size > '9')
		return false;
	mib = strtoul(size, &end, 10);
	if (strcmp(end, "M") != 0 || mib < 1 || mib > SIZE_MAX_MIB)
		return false;
	*ret = (unsigned)mib * 1024;
	return true;
}

static struct err *parse_sizes(struct yaml_node node, struct plan_strings *ret)
{
	struct yaml_node sizes = yaml_get(node, "size");
	struct err *e;
	unsigned kib;

	*ret = (struct plan_strings){ { "small" }, 1 };
	if (!yaml_is_present(sizes))
		return NULL;
	e = get_strings(node, "size", NULL, ret);
	for (size_t i = 0; !e && i < ret->n; i++)
		if (!plan_size_kib(ret->v[i], &kib))
			e = yaml_error(
				yaml_at(sizes, i),
				"'%s' is not a size: use 'small' (%d MiB), 'large' (%d MiB), or MiB as "
				"in '32M', up to '%dM'",
				ret->v[i], SMALL_MIB, LARGE_MIB, SIZE_MAX_MIB);
	return e;
}

/** The methods of a load: those it lists, else all of the plan's that can run a load of its kind. */
static struct err *parse_load_methods(struct yaml_node node, const char *form, const bool can[METHOD_COUNT],
				      const struct plan *plan, struct plan_load *ret)
{
	struct yaml_node list = yaml_get(node, "method");
	bool wants[METHOD_COUNT] = { false }, any = false;
	struct err *e = yaml_is_present(list) ? get_methods(node, "method", wants) : NULL;

	for (int m = 0; !e && m < METHOD_COUNT; m++) {
		if (wants[m] && !can[m])
			e = yaml_error(list, "a load of the form '%s' has no use for method '%s'", form,
				       method_name((enum method)m));
		else if (wants[m] && !plan->methods[m])
			e = yaml_error(list, "'%s' is not among the methods of the plan",
				       method_name((enum method)m));
		ret->methods[m] = can[m] && plan->methods[m] && (wants[m] || !yaml_is_present(list));
		any |= ret->methods[m];
	}
	if (!e && !any)
		e = yaml_error(node, "none of the plan's methods would run '%s'; is '%s' meant too?", form,
			       can[METHOD_GROWTH] ? "growth" : "displacement");
	return e;
}

static struct err *parse_load_interpreters(struct yaml_node node, const struct plan *plan,
					   struct plan_strings *ret)
{
	struct err *e = get_strings(node, "interpreter", NULL, ret);

	for (size_t i = 0; !e && i < ret->n; i++) {
		cleanup_free char *known = interpreters_names(&plan->interpreters);

		if (!interpreters_find(&plan->interpreters, ret->v[i]))
			e = yaml_error(yaml_at(yaml_get(node, "interpreter"), i),
				       "no interpreter '%s'; known: %s (a plan may add others with "
				       "'interpreters')",
				       ret->v[i], known);
	}
	return e;
}

/** A workload without arguments cannot be told to fork: it would be one process where the cell says several.
 */
static struct err *check_launch(struct yaml_node node, const struct plan_load *load)
{
	for (size_t i = 0; !load->has_checkpoints && i < load->launch.n; i++)
		if (strcmp(load->launch.v[i], "forked") == 0)
			return yaml_error(yaml_at(yaml_get(node, "launch"), i),
					  "a workload with 'checkpoints: false' cannot be told to fork: use "
					  "'launch: independent', or teach it checkpoints");
	return NULL;
}

static struct err *parse_workload(struct yaml_node node, const struct plan *plan, struct plan_load *ret)
{
	static const char *const keys[] = { "workload", "interpreter", "processes",   "launch", "size",
					    "activity", "method",      "checkpoints", NULL };
	static const bool can[METHOD_COUNT] = {
		[METHOD_GROWTH] = true,
		[METHOD_POPULATION] = true,
		[METHOD_DISPLACEMENT] = true,
		[METHOD_RAM] = true,
	};
	struct yaml_node checkpoints = yaml_get(node, "checkpoints");
	struct err *e = yaml_check_keys(node, keys);

	ret->has_checkpoints = true;
	if (!e)
		e = get_strings(node, "workload", NULL, &ret->workloads);
	if (!e)
		e = parse_load_interpreters(node, plan, &ret->interpreters);
	if (!e)
		e = get_uints(node, "processes", 1, PLAN_PROCESSES_MAX, 1, &ret->processes);
	if (!e)
		e = get_strings(node, "launch", launch_names, &ret->launch);
	if (!e)
		e = parse_sizes(node, &ret->sizes);
	if (!e)
		e = get_strings(node, "activity", activity_names, &ret->activity);
	if (!e && yaml_is_present(checkpoints))
		e = yaml_bool(checkpoints, &ret->has_checkpoints);
	if (!e)
		e = check_launch(node, ret);
	return e ? e : parse_load_methods(node, "workload", can, plan, ret);
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

/** The keys that only forked processes have. */
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
	static const char *const keys[] = { "ballast", "mib", "children", "dirty_pct", "method", NULL };
	static const bool can[METHOD_COUNT] = { [METHOD_DISPLACEMENT] = true };
	struct yaml_node mib = { NULL, 0 };
	struct err *e = yaml_check_keys(node, keys);

	if (!e)
		e = parse_kinds(node, ret);
	if (!e)
		e = yaml_need(node, "mib", &mib);
	if (!e)
		e = yaml_uint(mib, KNOWN_MIB_MIN, KNOWN_MIB_MAX, &ret->mib);
	/* Huge pages and page tables come by 2 MiB. */
	if (!e && ret->mib % 2)
		e = yaml_error(mib, "a known-answer load has an even number of MiB, not %u", ret->mib);
	if (!e)
		e = parse_forked(node, ret);
	return e ? e : parse_load_methods(node, "ballast", can, plan, ret);
}

/** Every method but the threshold needs a load that it runs. */
static struct err *check_methods(struct yaml_node root, const struct plan *plan)
{
	for (int m = METHOD_THRESHOLD + 1; m < METHOD_COUNT; m++) {
		bool is_used = false;

		for (size_t i = 0; i < plan->loads_n; i++)
			is_used |= plan->loads[i].methods[m];
		if (plan->methods[m] && !is_used)
			return yaml_error(root, "method '%s' needs 'loads' that it runs",
					  method_name((enum method)m));
	}
	return NULL;
}

/** The plan's loads; its methods are known. */
static struct err *parse_loads(struct yaml_node root, struct plan *plan)
{
	struct yaml_node loads = yaml_get(root, "loads");
	size_t n = yaml_count(loads);
	struct err *e = NULL;

	plan->loads = xcalloc(n, sizeof(*plan->loads));
	plan->loads_n = n;
	for (size_t i = 0; !e && i < n; i++) {
		struct yaml_node load = yaml_at(loads, i);
		bool is_known = yaml_is_present(yaml_get(load, "ballast"));

		e = (is_known ? parse_known : parse_workload)(load, plan, &plan->loads[i]);
	}
	return e ? e : check_methods(root, plan);
}

const struct plan_values *plan_setting(const struct plan *plan, const char *name)
{
	const struct setting *s;

	for (size_t i = 0; (s = setting_at(i)); i++)
		if (strcmp(s->name, name) == 0)
			return &plan->settings[i];
	assert(!"there is such a setting");
	return NULL;
}

bool plan_is_restored(const struct plan *plan)
{
	return strcmp(plan_setting(plan, "start")->v[0].choice, "restore") == 0;
}

/** The list of a flag: false, true, or both once. */
static struct err *parse_flags(struct yaml_node node, const char *key, struct plan_values *ret)
{
	struct err *e = NULL;

	ret->n = yaml_count(node);
	if (ret->n < 1 || ret->n > 2)
		return yaml_error(node, "%s lists false, true, or both once", key);
	for (size_t i = 0; !e && i < ret->n; i++) {
		bool value = false;

		e = yaml_bool(yaml_at(node, i), &value);
		ret->v[i].number = value;
	}
	if (!e && ret->n == 2 && ret->v[0].number == ret->v[1].number)
		e = yaml_error(node, "%s lists a value twice", key);
	return e;
}

/** What the mapping of its section says of a setting. */
static struct err *parse_setting(struct yaml_node section, const struct setting *s, struct plan_values *ret)
{
	struct yaml_node node = yaml_get(section, s->key);
	struct plan_uints numbers = { .n = 1 };
	struct plan_strings choices = { .n = 1 };
	bool may_list = s->nesting > 0;
	struct err *e;

	*ret = (struct plan_values){ { setting_default(s) }, 1 };
	if (!yaml_is_present(node))
		return NULL;
	if (s->type == SETTING_FLAG && may_list)
		return parse_flags(node, s->key, ret);
	if (s->type == SETTING_FLAG) {
		bool value = false;

		e = yaml_bool(node, &value);
		ret->v[0].number = value;
		return e;
	}
	if (s->choices)
		e = may_list ? get_strings(section, s->key, s->choices, &choices)
			     : get_choice(section, s->key, s->choices, &choices.v[0]);
	else
		e = may_list ? get_uints(section, s->key, s->least, s->most, 0, &numbers)
			     : yaml_uint(node, s->least, s->most, &numbers.v[0]);
	ret->n = s->choices ? choices.n : numbers.n;
	for (size_t i = 0; !e && i < ret->n; i++)
		ret->v[i] = (struct setting_value){ numbers.v[i], choices.v[i] };
	return e;
}

/** Reads the settings of a section; it has no keys but theirs and those of own, NULL at its end. */
static struct err *parse_section(struct yaml_node section, enum setting_section which, const char *const *own,
				 struct plan *plan)
{
	const char *keys[2 * SETTINGS_MAX + 1] = { NULL };
	size_t n = 0;
	const struct setting *s;

	for (; own[n]; n++)
		keys[n] = own[n];
	assert(n <= SETTINGS_MAX);
	for (size_t i = 0; (s = setting_at(i)); i++)
		if (s->section == which)
			keys[n++] = s->key;

	struct err *e = yaml_is_present(section) ? yaml_check_keys(section, keys) : NULL;

	for (size_t i = 0; !e && (s = setting_at(i)); i++)
		if (s->section == which)
			e = parse_setting(section, s, &plan->settings[i]);
	return e;
}

/** The memory that the kernel keeps free must leave something to use even in the smallest guest. */
static struct err *check_min_free(struct yaml_node guest, const struct plan *plan)
{
	const struct plan_values *min_free = plan_setting(plan, "min_free_kib");

	for (size_t x = 0; x < plan->ram_mib.n; x++)
		for (size_t i = 0; i < min_free->n; i++)
			if (min_free->v[i].number > plan->ram_mib.v[x] * 1024 / 4)
				return yaml_error(yaml_get(guest, "min_free_kbytes"),
						  "%u is more than a quarter of a guest of %u MiB",
						  min_free->v[i].number, plan->ram_mib.v[x]);
	return NULL;
}

static struct err *parse_guest(struct yaml_node guest, struct plan *plan)
{
	static const char *const keys[] = { "ram_mib", NULL };
	struct yaml_node ram;
	struct err *e = parse_section(guest, SETTING_GUEST, keys, plan);

	if (!e)
		e = yaml_need(guest, "ram_mib", &ram);
	if (!e)
		e = get_uints(guest, "ram_mib", PLAN_RAM_MIN_MIB, PLAN_RAM_MAX_MIB, 0, &plan->ram_mib);
	return e ? e : check_min_free(guest, plan);
}

static struct err *parse_methods(struct yaml_node root, struct plan *plan)
{
	struct yaml_node node;
	struct err *e = yaml_need(root, "method", &node);

	if (!e)
		e = get_methods(root, "method", plan->methods);
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

	return e ? e : get_strings(root, "image", NULL, &plan->images);
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
	static const char *const keys[] = { "rate_mib_s", NULL };
	struct yaml_node node = yaml_get(root, "ballast");
	struct err *e = parse_section(node, SETTING_BALLAST, keys, plan);

	/*
	 * 64 MiB/s: onset came at the same Z from 16 MiB/s to 170 MiB/s under TCG; a tick of 20 ms is 1.3
	 * MiB.
	 */
	plan->ballast_mib_s = 64;
	return e ? e
		 : get_uint(node, "rate_mib_s", 1, BALLAST_MIB_S_MAX, plan->ballast_mib_s,
			    &plan->ballast_mib_s);
}

static struct err *parse_margin(struct yaml_node root, double *ret)
{
	struct yaml_node node = yaml_get(root, "margin_pct");

	*ret = AGREEMENT_MARGIN_PCT;
	return yaml_is_present(node) ? yaml_double(node, 0.01, 100, ret) : NULL;
}

static struct err *parse_plan(struct yaml_node root, struct plan *plan)
{
	static const char *const keys[] = { "name",        "image",        "guest",     "method", "onset",
					    "replicates",  "margin_pct",   "seed",      "loads",  "ballast",
					    "determinism", "interpreters", "workloads", NULL };
	struct yaml_node name, guest;
	const char *determinism;
	struct err *e = parse_section(root, SETTING_ROOT, keys, plan);

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
	if (!e && plan->icount && plan_is_restored(plan))
		e = yaml_error(yaml_get(root, "start"), "'restore' does not go with 'determinism: icount': "
							"such guests are equal from their first "
							"instruction on; use 'start: boot'");
	if (!e)
		e = parse_interpreters(root, plan);
	if (!e && yaml_is_present(yaml_get(root, "workloads")))
		e = yaml_str(yaml_get(root, "workloads"), &plan->workloads_dir);
	return e ? e : parse_loads(root, plan);
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
