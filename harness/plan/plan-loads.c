/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/cell/method.h"
#include "harness/plan/plan-internal.h"

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
	e = plan_get_strings(node, "size", NULL, ret);
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
static struct err *parse_methods(struct yaml_node node, const char *form, const bool can[METHOD_COUNT],
				 const struct plan *plan, struct plan_load *ret)
{
	struct yaml_node list = yaml_get(node, "method");
	bool wants[METHOD_COUNT] = { false }, any = false;
	struct err *e = yaml_is_present(list) ? plan_get_methods(node, "method", wants) : NULL;

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

static struct err *parse_interpreters(struct yaml_node node, const struct plan *plan,
				      struct plan_strings *ret)
{
	struct err *e = plan_get_strings(node, "interpreter", NULL, ret);

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

/** What gets no arguments cannot be told to fork: there would be one process where the cell says several. */
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
		e = plan_get_strings(node, "workload", NULL, &ret->workloads);
	if (!e)
		e = parse_interpreters(node, plan, &ret->interpreters);
	if (!e)
		e = plan_get_uints(node, "processes", 1, PLAN_PROCESSES_MAX, 1, &ret->processes);
	if (!e)
		e = plan_get_strings(node, "launch", launch_names, &ret->launch);
	if (!e)
		e = parse_sizes(node, &ret->sizes);
	if (!e)
		e = plan_get_strings(node, "activity", activity_names, &ret->activity);
	if (!e && yaml_is_present(checkpoints))
		e = yaml_bool(checkpoints, &ret->has_checkpoints);
	if (!e)
		e = check_launch(node, ret);
	return e ? e : parse_methods(node, "workload", can, plan, ret);
}

static struct err *parse_kinds(struct yaml_node node, struct plan_load *ret)
{
	const char *names[KNOWN_COUNT + 1] = { NULL };
	struct plan_strings list;

	for (int i = 0; i < KNOWN_COUNT; i++)
		names[i] = known_kind_name((enum known_kind)i);

	struct err *e = plan_get_strings(node, "ballast", names, &list);

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

	struct err *e = plan_get_uint(node, "children", 1, 64, 4, &ret->children);

	return e ? e : plan_get_uint(node, "dirty_pct", 0, 100, 25, &ret->dirty_pct);
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
		e = yaml_error(mib, "%u is not even", ret->mib);
	if (!e)
		e = parse_forked(node, ret);
	return e ? e : parse_methods(node, "ballast", can, plan, ret);
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

struct err *plan_parse_loads(struct yaml_node root, struct plan *plan)
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
