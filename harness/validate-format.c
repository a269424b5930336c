/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/cleanup.h"
#include "harness/report-format.h"
#include "harness/validate.h"

static const char *const state_names[] = {
	[VALIDATE_WITHIN] = "within",
	[VALIDATE_OFF] = "off",
	[VALIDATE_NO_VALUE] = "no-value",
};

/* A number with one decimal, right-aligned; "-" when it is not known. */
static void add_number(struct strbuf *out, int width, double v, const char *sign)
{
	char buf[32], all[40];
	const char *text = format_fixed(buf, v, 1);

	snprintf(all, sizeof(all), "%s%s", *text && *text != '-' ? sign : "", *text ? text : "-");
	strbuf_addf(out, "%*s", width, all);
}

static void add_cell(struct strbuf *out, const struct report *r, const struct validate_cell *cell)
{
	const struct report_row *row = cell->row;
	char lo[32], hi[32], bracket[80];

	snprintf(bracket, sizeof(bracket), "[%s, %s]", format_fixed(lo, row->z_lo_kib / 1024, 1),
		 format_fixed(hi, row->z_hi_kib / 1024, 1));
	strbuf_addf(out, "  %-8s", state_names[cell->state]);
	add_number(out, 9, row->y_kib / 1024, "");
	add_number(out, 9, row->z_kib / 1024, "");
	strbuf_addf(out, "  %-16s", bracket);
	add_number(out, 9, row->diff_kib / 1024, "+");
	add_number(out, 9, row->diff_pct, "+");
	if (cell->best)
		add_number(out, 10, cell->best->y_kib / 1024, "");
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

static void add_verdict(struct strbuf *out, const struct validation *v)
{
	char margin[32];

	format_fixed(margin, v->margin_pct, v->margin_pct == floor(v->margin_pct) ? 0 : 2);
	if (!v->cells_n) {
		strbuf_adds(out, "\nnot validated: no workload of this file has a Z to compare with yet\n");
		return;
	}
	if (v->best)
		strbuf_addf(out, "\nBest shipped metric here: %s, within %s %% in %zu of %zu cells\n",
			    v->best->name, margin, v->best_within, v->cells_n);
	strbuf_addf(out, "%s: %s is within %s %% of Z in %zu of %zu cells",
		    v->is_validated ? "validated" : "not validated", v->metric->name, margin, v->within,
		    v->cells_n);
	if (v->no_value)
		strbuf_addf(out, ", without a value in %zu", v->no_value);
	strbuf_adds(out, "\n");
}

void validate_text(const struct report *r, const struct validation *v, struct strbuf *out)
{
	strbuf_addf(out, "Metric %s: ", v->metric->name);
	format_clean(out, *v->metric->summary ? v->metric->summary : v->metric->path);
	strbuf_adds(out, "\n\n");
	if (v->cells_n) {
		strbuf_adds(out, "              Y MiB    Z MiB  bracket of Z       Y - Z  Y - Z %");
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

	for (size_t i = 0; i < v->cells_n; i++)
		json_array_append_new(cells, cell_json(&v->cells[i]));
	json_object_set_new(root, "tool_version", json_string(SWAPCAL_VERSION));
	json_object_set_new(root, "schema_version", json_integer(STORE_SCHEMA_VERSION));
	json_object_set_new(root, "plan", format_json_string(r->plan_name));
	json_object_set_new(root, "metric", format_json_string(v->metric->name));
	json_object_set_new(root, "file", format_json_string(v->metric->path));
	json_object_set_new(root, "margin_pct", json_real(v->margin_pct));
	json_object_set_new(root, "is_validated", json_boolean(v->is_validated));
	json_object_set_new(root, "within", json_integer((json_int_t)v->within));
	json_object_set_new(root, "off", json_integer((json_int_t)v->off));
	json_object_set_new(root, "no_value", json_integer((json_int_t)v->no_value));
	json_object_set_new(root, "best", v->best ? format_json_string(v->best->name) : json_null());
	json_object_set_new(root, "best_within", json_integer((json_int_t)v->best_within));
	json_object_set_new(root, "cells", cells);
	format_json(out, root);
}
