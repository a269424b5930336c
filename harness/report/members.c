/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/report/members.h"

#include <string.h>

#include "harness/base/cleanup.h"
#include "harness/base/format.h"
#include "harness/base/strbuf.h"
#include "harness/cell/cell.h"

json_t *members_cell_id(const struct cell *cell)
{
	return json_stringn(cell->key, strnlen(cell->key, 12));
}

void members_set_cell(json_t *object, const struct cell *cell)
{
	json_object_set_new(object, "cell", members_cell_id(cell));
	json_object_set_new(object, "x_mib", json_integer(cell->x_mib));
	json_object_set_new(object, "method", format_json_string(cell->method));
	json_object_set_new(object, "workload", format_json_string(cell->workload));
	json_object_set_new(object, "interpreter", format_json_string(cell->interpreter));
	json_object_set_new(object, "processes", json_integer(cell->processes));
	json_object_set_new(object, "launch", format_json_string(cell->launch));
	json_object_set_new(object, "size", format_json_string(cell->size));
}

void members_set_mib(json_t *object, const char *key, double kib)
{
	json_object_set_new(object, key, format_json_fixed(kib / 1024, 3));
}

void members_set_count(json_t *object, const char *key, size_t n)
{
	json_object_set_new(object, key, json_integer((json_int_t)n));
}

void members_set_flags(json_t *object, const char *flags)
{
	json_t *array = json_array();

	for (const char *p = flags; *p;) {
		size_t n = strcspn(p, ",");
		cleanup_strbuf struct strbuf flag = STRBUF_INIT;

		strbuf_add(&flag, p, n);
		json_array_append_new(array, format_json_string(flag.data));
		p += n + (p[n] == ',');
	}
	json_object_set_new(object, "flags", array);
}

json_t *members_array(const struct report *r, size_t n, json_t *(*f)(const struct report *r, size_t i))
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, f(r, i));
	return array;
}
