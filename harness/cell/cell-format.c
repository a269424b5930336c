/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cell/cell-format.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/format.h"
#include "harness/cell/cell.h"

const char *const format_settings[] = {
	"image", "kernel", "accel", "icount", "vcpus", "swap_mib", "swap",      "swappiness", "min_free_kib",
	"thp",   "mglru",  "start", "onset",  "fill",  "touch",    "workloads", NULL,
};

void format_setting(struct strbuf *out, const struct cell *cell, const char *key)
{
	const json_t *v = json_object_get(cell->identity, key);

	if (strcmp(key, "icount") == 0) {
		strbuf_adds(out, json_is_true(v) ? "icount" : "");
	} else if (strcmp(key, "fill") == 0) {
		if (strcmp(cell_str(cell, key), "random") != 0) {
			strbuf_adds(out, "ballast fill ");
			format_clean(out, cell_str(cell, key));
		}
	} else if (strcmp(key, "touch") == 0) {
		if (v && strcmp(cell_str(cell, key), "none") != 0) {
			strbuf_adds(out, "ballast touch ");
			format_clean(out, cell_str(cell, key));
		}
	} else if (strcmp(key, "swap") == 0) {
		if (v && strcmp(cell_str(cell, key), "disk") != 0) {
			strbuf_adds(out, "swap on ");
			format_clean(out, cell_str(cell, key));
		}
	} else if (strcmp(key, "min_free_kib") == 0) {
		if (cell_uint(cell, key))
			strbuf_addf(out, "min_free_kbytes %u", cell_uint(cell, key));
	} else if (strcmp(key, "workloads") == 0) {
		/* The plan's own: a few digits of their key tell two states of them apart. */
		cleanup_free char *digits = xasprintf("%.12s", cell_str(cell, key));

		strbuf_adds(out, *digits ? "own workloads " : "");
		format_clean(out, digits);
	} else if (strcmp(key, "swap_mib") == 0) {
		strbuf_addf(out, "%u MiB swap", cell_uint(cell, key));
	} else if (strcmp(key, "vcpus") == 0) {
		strbuf_addf(out, "%u vCPU", cell_uint(cell, key));
	} else if (json_is_boolean(v)) {
		strbuf_addf(out, "%s %s", key, json_is_true(v) ? "on" : "off");
	} else if (json_is_integer(v)) {
		strbuf_addf(out, "%s %u", key, cell_uint(cell, key));
	} else if (json_is_string(v)) {
		strbuf_addf(out, "%s ", key);
		format_clean(out, cell_str(cell, key));
	}
}

bool format_is_shared(const struct cell *cells, size_t n, const char *key)
{
	for (size_t i = 1; i < n; i++)
		if (!json_equal(json_object_get(cells[0].identity, key),
				json_object_get(cells[i].identity, key)))
			/* json_equal() takes a missing member for different from a missing one. */
			if (json_object_get(cells[0].identity, key) ||
			    json_object_get(cells[i].identity, key))
				return false;
	return true;
}

void format_varying(struct strbuf *out, const struct cell *cell, const struct cell *cells, size_t n)
{
	for (const char *const *key = format_settings; *key; key++) {
		cleanup_strbuf struct strbuf setting = STRBUF_INIT;

		if (format_is_shared(cells, n, *key))
			continue;
		format_setting(&setting, cell, *key);
		if (setting.len)
			strbuf_addf(out, ", %s", setting.data);
	}
}

/* How many of them, and where they come from. */
static void add_processes(struct strbuf *out, const struct cell *cell)
{
	unsigned n = cell_uint(cell, "processes");

	if (cell_is(cell, METHOD_POPULATION))
		strbuf_adds(out, ", as many processes as there is room for");
	else
		strbuf_addf(out, ", %u process%s", n, n == 1 ? "" : "es");
	if (n != 1) {
		strbuf_adds(out, ", ");
		format_clean(out, cell_str(cell, "launch"));
	}
}

void format_cell(struct strbuf *out, const struct cell *cell)
{
	if (cell_is(cell, METHOD_RAM))
		strbuf_addf(out, "%u to %u MiB: ", cell_uint(cell, "x_lo_mib"), cell_uint(cell, "x_hi_mib"));
	else
		strbuf_addf(out, "%u MiB: ", cell_uint(cell, "x_mib"));
	format_clean(out, cell_str(cell, "workload"));
	if (strcmp(cell_str(cell, "interpreter"), "-") == 0)
		return;
	strbuf_adds(out, " on ");
	format_clean(out, cell_str(cell, "interpreter"));
	add_processes(out, cell);
	strbuf_adds(out, ", size ");
	format_clean(out, cell_str(cell, "size"));
	if (strcmp(cell_str(cell, "activity"), "frozen") == 0)
		strbuf_adds(out, ", frozen");
}
