/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/cleanup.h"
#include "harness/base/format.h"
#include "harness/cell/cell-format.h"
#include "harness/report/table.h"
#include "harness/report/validate.h"

static const char *const state_names[] = {
	[VALIDATE_WITHIN] = "within",
	[VALIDATE_OFF] = "off",
	[VALIDATE_NO_VALUE] = "no-value",
};

static void add_cell(struct strbuf *out, const struct report *r, const struct validate_cell *cell)
{
	const struct report_row *row = cell->row;

	strbuf_addf(out, "  %-8s", state_names[cell->state]);
	table_mib(out, 9, row->y_kib);
	table_mib(out, 9, row->z_kib);
	strbuf_adds(out, "  ");
	table_range_mib(out, 16, row->z_lo_kib, row->z_hi_kib);
	table_number(out, 9, row->diff_kib / 1024, "+", "");
	table_number(out, 9, row->diff_pct, "+", "");
	if (cell->best)
		table_mib(out, 10, cell->best->y_kib);
	strbuf_adds(out, "  ");
	format_cell(out, row->cell);
	format_varying(out, row->cell, r->cells, r->cells_n);
	if (*row->flags) {
		strbuf_adds(out, " (");
		format_clean(out, row->flags);
		strbuf_adds(out, ")");
	}
	strbuf_adds(out, "\n");
}

static void add_agreement(struct strbuf *out, const struct validation *v)
{
	const struct agreement *a = &v->agreement->agreement;

	strbuf_addf(out, "\nOver %zu cells of workloads, %zu values, in percent of Z:\n", a->cells, a->n);
	strbuf_adds(out, "  mean error ");
	table_number(out, 0, a->pct.bias, "+", " %");
	strbuf_adds(out, ", 95 % interval ");
	table_range(out, 0, a->pct.bias_ci.lo, a->pct.bias_ci.hi, "+");
	strbuf_adds(out, "\n  95 % of errors lie in ");
	table_range(out, 0, a->pct.loa.lo, a->pct.loa.hi, "+");
	strbuf_adds(out, ", surely within ");
	table_range(out, 0, a->pct.outer.lo, a->pct.outer.hi, "+");
	strbuf_adds(out, "\n");
}

/* Why the verdict is what it is. */
static void add_reason(struct strbuf *out, const struct validation *v)
{
	if (!v->cells_n)
		strbuf_adds(out, "no workload of this file has a Z to compare with yet");
	else if (v->no_value)
		strbuf_addf(out, "it has no value in %zu of %zu cells", v->no_value, v->cells_n);
	else if (v->known_off)
		strbuf_addf(out, "it is off in %zu of %zu cells with known answers", v->known_off, v->known);
	else if (!v->agreement)
		strbuf_addf(out, "it is right in all %zu cells with known answers; no workload was run",
			    v->known);
	else if (v->verdict == AGREEMENT_VALIDATED)
		strbuf_adds(out, "95 % of its errors lie within the margin, at 95 % confidence");
	else if (v->verdict == AGREEMENT_REJECTED)
		strbuf_adds(out, "a limit of its errors lies beyond the margin, at 95 % confidence");
	else
		report_undecided_text(&v->agreement->agreement, out);
}

static void add_verdict(struct strbuf *out, const struct validation *v)
{
	char margin[32];

	format_fixed(margin, v->margin_pct, v->margin_pct == floor(v->margin_pct) ? 0 : 2);
	if (v->best)
		strbuf_addf(out,
			    "\nBest shipped metric here: %s, within %s %% in %zu of %zu cells; %s in %zu\n",
			    v->best->name, margin, v->best_within, v->cells_n, v->metric->name, v->within);
	if (v->agreement)
		add_agreement(out, v);
	strbuf_addf(out, "\n%s: %s at a margin of %s %%: ", agreement_verdict_name(v->verdict),
		    v->metric->name, margin);
	add_reason(out, v);
	strbuf_adds(out, "\n");
}

void validate_text(const struct report *r, const struct validation *v, struct strbuf *out)
{
	strbuf_addf(out, "Metric %s: ", v->metric->name);
	format_clean(out, *v->metric->summary ? v->metric->summary : v->metric->path);
	strbuf_adds(out, "\n\n");
	if (v->cells_n) {
		strbuf_adds(out, "              Y MiB    Z MiB  interval of Z      Y - Z  Y - Z %");
		if (v->best)
			strbuf_addf(out, "    best Y");
		strbuf_adds(out, "  cell\n");
	}
	for (size_t i = 0; i < v->cells_n; i++)
		add_cell(out, r, &v->cells[i]);
	add_verdict(out, v);
}

static json_t *mib(double kib)
{
	return format_json_fixed(kib / 1024, 3);
}

static json_t *cell_json(const struct validate_cell *cell)
{
	const struct report_row *row = cell->row;
	json_t *o = json_object();
	char id[13] = "";

	memcpy(id, row->cell->key, 12);
	json_object_set_new(o, "cell", json_string(id));
	json_object_set_new(o, "identity", json_incref(row->cell->identity));
	json_object_set_new(o, "state", json_string(state_names[cell->state]));
	json_object_set_new(o, "y_mib", mib(row->y_kib));
	json_object_set_new(o, "z_mib", mib(row->z_kib));
	json_object_set_new(o, "z_lo_mib", mib(row->z_lo_kib));
	json_object_set_new(o, "z_hi_mib", mib(row->z_hi_kib));
	json_object_set_new(o, "diff_mib", mib(row->diff_kib));
	json_object_set_new(o, "diff_pct", format_json_fixed(row->diff_pct, 2));
	json_object_set_new(o, "distance_pct", format_json_fixed(cell->distance_pct, 2));
	json_object_set_new(o, "best_y_mib", cell->best ? mib(cell->best->y_kib) : json_null());
	json_object_set_new(o, "n", json_integer(row->n));
	json_object_set_new(o, "flags", format_json_string(row->flags));
	return o;
}

void validate_json(const struct report *r, const struct validation *v, struct strbuf *out)
{
	json_t *root = json_object(), *cells = json_array();
	cleanup_strbuf struct strbuf reason = STRBUF_INIT;

	add_reason(&reason, v);
	for (size_t i = 0; i < v->cells_n; i++)
		json_array_append_new(cells, cell_json(&v->cells[i]));
	json_object_set_new(root, "tool_version", json_string(SWAPCAL_VERSION));
	json_object_set_new(root, "schema_version", json_integer(STORE_SCHEMA_VERSION));
	json_object_set_new(root, "plan", format_json_string(r->plan_name));
	json_object_set_new(root, "metric", format_json_string(v->metric->name));
	json_object_set_new(root, "file", format_json_string(v->metric->path));
	json_object_set_new(root, "margin_pct", json_real(v->margin_pct));
	json_object_set_new(root, "verdict", json_string(agreement_verdict_name(v->verdict)));
	json_object_set_new(root, "reason", json_string(strbuf_str(&reason)));
	json_object_set_new(root, "is_validated", json_boolean(v->verdict == AGREEMENT_VALIDATED));
	json_object_set_new(root, "agreement",
			    v->agreement ? report_agreement_json(v->agreement) : json_null());
	json_object_set_new(root, "within", json_integer((json_int_t)v->within));
	json_object_set_new(root, "off", json_integer((json_int_t)v->off));
	json_object_set_new(root, "no_value", json_integer((json_int_t)v->no_value));
	json_object_set_new(root, "best", v->best ? format_json_string(v->best->name) : json_null());
	json_object_set_new(root, "best_within", json_integer((json_int_t)v->best_within));
	json_object_set_new(root, "cells", cells);
	format_json(out, root);
}
