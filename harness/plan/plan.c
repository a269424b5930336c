/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/plan/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/stats/agreement.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/strbuf.h"
#include "harness/image/image.h"
#include "harness/plan/plan-internal.h"

/* Faster than any guest can fill its memory. */
#define BALLAST_MIB_S_MAX 4096

static const char *const determinism_names[] = { "none", "icount", NULL };

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
	if (s->type == SETTING_FLAG)
		return parse_flags(node, s->key, ret);
	if (s->choices)
		e = may_list ? plan_get_strings(section, s->key, s->choices, &choices)
			     : plan_get_choice(section, s->key, s->choices, &choices.v[0]);
	else
		e = may_list ? plan_get_uints(section, s->key, s->least, s->most, 0, &numbers)
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

/** What the kernel keeps free must leave even the smallest guest something to use. */
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
		e = plan_get_uints(guest, "ram_mib", PLAN_RAM_MIN_MIB, PLAN_RAM_MAX_MIB, 0, &plan->ram_mib);
	return e ? e : check_min_free(guest, plan);
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
	static const char *const keys[] = { "rate_mib_s", NULL };
	struct yaml_node node = yaml_get(root, "ballast");
	struct err *e = parse_section(node, SETTING_BALLAST, keys, plan);

	/*
	 * 64 MiB/s: onset came at the same Z from 16 MiB/s to 170 MiB/s under TCG; a tick of 20 ms is 1.3
	 * MiB.
	 */
	plan->ballast_mib_s = 64;
	return e ? e
		 : plan_get_uint(node, "rate_mib_s", 1, BALLAST_MIB_S_MAX, plan->ballast_mib_s,
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
