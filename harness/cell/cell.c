/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cell/cell.h"

#include <string.h>

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

bool cell_is_restored(const struct cell *cell)
{
	return strcmp(cell_str(cell, "start"), "restore") == 0;
}

bool cell_is_forked(const struct cell *cell)
{
	return strcmp(cell_str(cell, "launch"), "forked") == 0;
}

bool cell_known(const struct cell *cell, struct known_spec *ret)
{
	struct known_spec spec = {
		.kib = cell_uint(cell, "kib"),
		.children = cell_uint(cell, "children"),
		.dirty_pct = cell_uint(cell, "dirty_pct"),
	};

	if (strcmp(cell_str(cell, "interpreter"), CELL_KNOWN_INTERPRETER) != 0 ||
	    !known_kind_parse(cell_str(cell, "workload"), &spec.kind))
		return false;
	if (!spec.kib || spec.kib % 2048 || spec.dirty_pct > 100 || spec.children > 64 ||
	    (spec.kind == KNOWN_FORKED_COW) != (spec.children > 0))
		return false;
	*ret = spec;
	return true;
}
