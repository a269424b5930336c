/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cell/cell-format.h"

#include <string.h>

#include "harness/base/format.h"

void format_trait(struct strbuf *out, const struct cell *cell, const struct cell_trait *trait)
{
	const json_t *v = json_object_get(cell->identity, trait->name);
	cleanup_strbuf struct strbuf value = STRBUF_INIT;

	if (json_is_boolean(v))
		strbuf_adds(&value, json_is_true(v) ? "on" : "off");
	else if (json_is_integer(v))
		strbuf_addf(&value, "%lld", (long long)json_integer_value(v));
	else if (trait->digits)
		strbuf_addf(&value, "%.*s", trait->digits, json_string_value(v));
	else if (v)
		strbuf_adds(&value, json_string_value(v));
	if (!v || (trait->usual && strcmp(strbuf_str(&value), trait->usual) == 0))
		return;
	strbuf_adds(out, trait->before);
	/* Of a flag that is usually off the words say all. */
	if (!json_is_boolean(v) || !trait->usual)
		format_clean(out, strbuf_str(&value));
	strbuf_adds(out, trait->after);
}

bool format_is_shared(const struct cell *cells, size_t n, const struct cell_trait *trait)
{
	for (size_t i = 1; i < n; i++) {
		const json_t *a = json_object_get(cells[0].identity, trait->name);
		const json_t *b = json_object_get(cells[i].identity, trait->name);

		/* json_equal() takes a missing member for different from a missing one. */
		if ((a || b) && !json_equal(a, b))
			return false;
	}
	return true;
}

void format_varying(struct strbuf *out, const struct cell *cell, const struct cell *cells, size_t n)
{
	const struct cell_trait *trait;

	for (size_t i = 0; (trait = cell_trait_at(i)); i++) {
		cleanup_strbuf struct strbuf text = STRBUF_INIT;

		if (format_is_shared(cells, n, trait))
			continue;
		format_trait(&text, cell, trait);
		if (text.len)
			strbuf_addf(out, ", %s", text.data);
	}
}

/* How many of them, and where they come from. */
static void add_processes(struct strbuf *out, const struct cell *cell)
{
	unsigned n = cell->processes;

	if (cell_is(cell, METHOD_POPULATION))
		strbuf_adds(out, ", as many processes as there is room for");
	else
		strbuf_addf(out, ", %u process%s", n, n == 1 ? "" : "es");
	if (n != 1) {
		strbuf_adds(out, ", ");
		format_clean(out, cell->launch);
	}
}

void format_cell(struct strbuf *out, const struct cell *cell)
{
	if (cell_is(cell, METHOD_RAM))
		strbuf_addf(out, "%u to %u MiB: ", cell->x_lo_mib, cell->x_hi_mib);
	else
		strbuf_addf(out, "%u MiB: ", cell->x_mib);
	format_clean(out, cell->workload);
	if (strcmp(cell->interpreter, "-") == 0)
		return;
	strbuf_adds(out, " on ");
	format_clean(out, cell->interpreter);
	add_processes(out, cell);
	strbuf_adds(out, ", size ");
	format_clean(out, cell->size);
	if (strcmp(cell->activity, "frozen") == 0)
		strbuf_adds(out, ", frozen");
	if (!cell_is_weighed(cell, "usual")) {
		strbuf_adds(out, ", weighed ");
		format_clean(out, cell->weighing);
	}
}
