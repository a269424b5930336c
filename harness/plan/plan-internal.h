/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_PLAN_INTERNAL_H
#define SWAPCAL_PLAN_INTERNAL_H

#include "harness/plan/plan.h"

/* Shared by plan.c (the plan as a whole), plan-loads.c (its loads) and plan-values.c (lists and numbers). */

/** The numbers of a key, each within [min, max] and none twice, or the fallback when the key is absent. */
struct err *plan_get_uints(struct yaml_node mapping, const char *key, unsigned long min, unsigned long max,
			   unsigned fallback, struct plan_uints *ret) must_check;

struct err *plan_get_uint(struct yaml_node mapping, const char *key, unsigned long min, unsigned long max,
			  unsigned fallback, unsigned *ret) must_check;

/**
 * The strings of a key, none twice, each one of choices, or the first choice when the key is absent. choices
 * NULL: any, and the key must be there.
 */
struct err *plan_get_strings(struct yaml_node mapping, const char *key, const char *const *choices,
			     struct plan_strings *ret) must_check;

struct err *plan_get_choice(struct yaml_node mapping, const char *key, const char *const *choices,
			    const char **ret) must_check;

/** The methods that a key lists, as a set. */
struct err *plan_get_methods(struct yaml_node mapping, const char *key, bool ret[METHOD_COUNT]) must_check;

/** The plan's loads; its methods are known. */
struct err *plan_parse_loads(struct yaml_node root, struct plan *plan) must_check;

#endif
