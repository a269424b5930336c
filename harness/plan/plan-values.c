/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "harness/plan/plan-internal.h"

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

struct err *plan_get_uints(struct yaml_node mapping, const char *key, unsigned long min, unsigned long max,
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

struct err *plan_get_uint(struct yaml_node mapping, const char *key, unsigned long min, unsigned long max,
			  unsigned fallback, unsigned *ret)
{
	struct yaml_node node = yaml_get(mapping, key);

	if (!yaml_is_present(node)) {
		*ret = fallback;
		return NULL;
	}
	return yaml_uint(node, min, max, ret);
}

struct err *plan_get_strings(struct yaml_node mapping, const char *key, const char *const *choices,
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

struct err *plan_get_choice(struct yaml_node mapping, const char *key, const char *const *choices,
			    const char **ret)
{
	struct yaml_node node = yaml_get(mapping, key);
	unsigned index = 0;
	struct err *e = yaml_is_present(node) ? yaml_choice(node, choices, &index) : NULL;

	if (!e)
		*ret = choices[index];
	return e;
}
