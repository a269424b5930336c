/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/cleanup.h"
#include "harness/base/format.h"
#include "harness/campaign/campaign.h"
#include "harness/cell/cell.h"
#include "harness/compare/compare.h"
#include "harness/cell/cell-format.h"
#include "harness/report/report.h"

static json_t *cell_id(const struct cell *cell)
{
	char id[13] = "";

	memcpy(id, cell->key, 12);
	return json_string(id);
}

void report_set_mib(json_t *object, const char *key, double kib)
{
	json_object_set_new(object, key, format_json_fixed(kib / 1024, 3));
}

void report_set_cell(json_t *object, const struct cell *cell)
{
	json_object_set_new(object, "cell", cell_id(cell));
	json_object_set_new(object, "x_mib", json_integer(cell_uint(cell, "x_mib")));
	json_object_set_new(object, "method", format_json_string(cell_str(cell, "method")));
	json_object_set_new(object, "workload", format_json_string(cell_str(cell, "workload")));
	json_object_set_new(object, "interpreter", format_json_string(cell_str(cell, "interpreter")));
	json_object_set_new(object, "processes", json_integer(cell_uint(cell, "processes")));
	json_object_set_new(object, "launch", format_json_string(cell_str(cell, "launch")));
	json_object_set_new(object, "size", format_json_string(cell_str(cell, "size")));
}

/* "a,b" as ["a", "b"] */
static json_t *flags_json(const char *flags)
{
	json_t *array = json_array();

	for (const char *p = flags; *p;) {
		size_t n = strcspn(p, ",");
		cleanup_strbuf struct strbuf flag = STRBUF_INIT;

		strbuf_add(&flag, p, n);
		json_array_append_new(array, format_json_string(flag.data));
		p += n + (p[n] == ',');
	}
	return array;
}

static json_t *row_json(const struct report_row *row)
{
	json_t *object = json_object();
	struct report_field fields[REPORT_FIELDS];

	report_row_fields(row, fields);
	for (int i = 0; i < REPORT_FIELDS; i++) {
		const struct report_field *f = &fields[i];
		json_t *value =
			f->text ? format_json_string(f->text) : format_json_fixed(f->number, f->decimals);

		json_object_set_new(object, f->name, value);
	}
	json_object_set_new(object, "cell", cell_id(row->cell));
	json_object_set_new(object, "mglru", json_boolean(cell_bool(row->cell, "mglru")));
	json_object_set_new(object, "flags", flags_json(row->flags));
	json_object_set_new(object, "is_best", json_boolean(row->is_best));
	report_set_mib(object, "expected_mib", row->expected_kib);
	return object;
}

/* A side of the bracket; NAN when it has none. */
static double bracket_end(uint64_t kib, uint64_t none)
{
	return kib == none ? (double)NAN : (double)kib;
}

/* How the answers lie; null where there is no Z*. */
static json_t *check_json(const struct report_threshold *t)
{
	static const char *const names[] = { [QUANTAL_OVERLAP] = "overlap",
					     [QUANTAL_COMPLETE] = "complete",
					     [QUANTAL_ONE_SIDED] = "one-sided" };

	return isfinite(t->z_kib) ? json_string(names[t->check.separation]) : json_null();
}

static json_t *threshold_json(const struct report_threshold *t)
{
	const struct search_estimate *e = &t->estimate;
	json_t *object = json_object();

	json_object_set_new(object, "cell", cell_id(t->cell));
	json_object_set_new(object, "x_mib", json_integer(cell_uint(t->cell, "x_mib")));
	json_object_set_new(object, "mem_total_kib", format_json_fixed(t->mem_total_kib, 0));
	json_object_set_new(object, "mem_available0_kib", format_json_fixed(t->mem_available0_kib, 0));
	report_set_mib(object, "z_mib", t->z_kib);
	report_set_mib(object, "z_lo_mib", t->z_lo_kib);
	report_set_mib(object, "z_hi_mib", t->z_hi_kib);
	report_set_mib(object, "bracket_lo_mib", bracket_end(e->bracket_lo_kib, 0));
	report_set_mib(object, "bracket_hi_mib", bracket_end(e->bracket_hi_kib, UINT64_MAX));
	json_object_set_new(object, "contradictions", json_integer(e->contradictions));
	report_set_mib(object, "spread_mib", e->spread_kib);
	report_set_mib(object, "spread_hi_mib", e->spread_hi_kib);
	json_object_set_new(object, "wrong_answers_pct", format_json_fixed(100 * e->wrong, 2));
	json_object_set_new(object, "separation", check_json(t));
	report_set_mib(object, "z_logistic_mib", t->check.logistic.ed50);
	report_set_mib(object, "z_logistic_lo_mib", t->check.logistic.profile.lo);
	report_set_mib(object, "z_logistic_hi_mib", t->check.logistic.profile.hi);
	report_set_mib(object, "z_isotonic_mib", t->check.isotonic.ed50);
	report_set_mib(object, "z_isotonic_lo_mib", t->check.isotonic.ci.lo);
	report_set_mib(object, "z_isotonic_hi_mib", t->check.isotonic.ci.hi);
	report_set_mib(object, "z_ramp_mib", t->ramp.mean_kib);
	report_set_mib(object, "ramp_sd_between_boots_mib", t->ramps.between_boots_kib);
	report_set_mib(object, "ramp_sd_within_boot_mib", t->ramps.within_boot_kib);
	json_object_set_new(object, "n", json_integer(t->n));
	json_object_set_new(object, "probes_answered", json_integer(t->answers));
	json_object_set_new(object, "probes_lost", json_integer(t->lost));
	json_object_set_new(object, "flags", flags_json(t->flags));
	json_object_set_new(object, "identity", json_incref(t->cell->identity));
	return object;
}

/* What distinguishes the guests of a curve from those of others. */
static json_t *varying_json(const struct report *r, const struct cell *cell)
{
	json_t *object = json_object();

	for (const char *const *key = format_settings; *key; key++)
		if (!format_is_shared(r->cells, r->cells_n, *key))
			json_object_set(object, *key, json_object_get(cell->identity, *key));
	return object;
}

static json_t *point_json(const struct report_curve *c, size_t i)
{
	const struct report_threshold *t = c->points[i];
	json_t *object = json_object();

	json_object_set_new(object, "cell", cell_id(t->cell));
	json_object_set_new(object, "x_mib", json_integer(cell_uint(t->cell, "x_mib")));
	report_set_mib(object, "z_mib", t->z_kib);
	report_set_mib(object, "residual_mib", report_curve_residual_kib(c, i));
	return object;
}

static json_t *prediction_json(const struct report_prediction *p)
{
	json_t *object = json_object();

	json_object_set_new(object, "x_mib", json_integer(p->x_mib));
	report_set_mib(object, "z_mib", p->at.z_kib);
	report_set_mib(object, "z_pi_lo_mib", p->at.z_pi_kib.lo);
	report_set_mib(object, "z_pi_hi_mib", p->at.z_pi_kib.hi);
	json_object_set_new(object, "is_extrapolated", json_boolean(p->is_extrapolated));
	return object;
}

static json_t *curve_json(const struct report *r, const struct report_curve *c)
{
	json_t *object = json_object(), *points = json_array(), *predictions = json_array();

	for (size_t i = 0; i < c->n; i++)
		json_array_append_new(points, point_json(c, i));
	for (size_t i = 0; i < c->predictions_n; i++)
		json_array_append_new(predictions, prediction_json(&c->predictions[i]));
	json_object_set_new(object, "settings", varying_json(r, c->points[0]->cell));
	json_object_set_new(object, "n", json_integer((json_int_t)c->fit.n));
	/* Times an X, three decimals would be MiB. */
	json_object_set_new(object, "slope", format_json_number(c->fit.slope_kib_per_mib / 1024));
	report_set_mib(object, "intercept_mib", c->fit.intercept_kib);
	report_set_mib(object, "scatter_mib", c->fit.scatter_kib);
	json_object_set_new(object, "x_lo_mib", format_json_fixed(c->fit.x_lo_mib, 0));
	json_object_set_new(object, "x_hi_mib", format_json_fixed(c->fit.x_hi_mib, 0));
	json_object_set_new(object, "available_ratio", format_json_fixed(c->fit.available_ratio, 3));
	json_object_set_new(object, "points", points);
	json_object_set_new(object, "predictions", predictions);
	return object;
}

/* The best metric, judged by the confidence that makes up for having been picked. */
static json_t *picked_json(const struct report *r)
{
	json_t *object = json_object();

	json_object_set_new(object, "metric", format_json_string(r->agreements[0].metric));
	json_object_set_new(object, "confidence", format_json_fixed(r->picked_confidence, 3));
	json_object_set_new(object, "first_pct", format_json_fixed(100 * r->picked_share, 1));
	json_object_set_new(object, "outer_pct",
			    json_pack("[o, o]", format_json_number(r->picked.pct.outer.lo),
				      format_json_number(r->picked.pct.outer.hi)));
	json_object_set_new(object, "verdict", json_string(agreement_verdict_name(r->picked.verdict)));
	return object;
}

static json_t *gap_json(const struct report_gap *gap)
{
	json_t *object = json_object();

	json_object_set_new(object, "cell", cell_id(gap->cell));
	json_object_set_new(object, "what", json_string(gap->what));
	json_object_set_new(object, "replicate", json_integer(gap->replicate));
	json_object_set_new(object, "probe", gap->probe_id ? json_integer(gap->probe_id) : json_null());
	json_object_set_new(object, "reason", format_json_string(gap->reason));
	return object;
}

json_t *report_agreement_json(const struct report_agreement *a)
{
	json_t *object = json_object();

	json_object_set_new(object, "metric", format_json_string(a->metric));
	json_object_set_new(object, "error_pct", format_json_fixed(a->error_pct, 3));
	json_object_set_new(object, "no_value", json_integer((json_int_t)a->no_value));
	compare_json_members(&a->agreement, object);
	return object;
}

void report_json(const struct report *r, struct strbuf *out)
{
	json_t *root = json_object(), *thresholds = json_array(), *rows = json_array(), *gaps = json_array(),
	       *agreements = json_array(), *curves = json_array();

	for (size_t i = 0; i < r->thresholds_n; i++)
		json_array_append_new(thresholds, threshold_json(&r->thresholds[i]));
	for (size_t i = 0; i < r->curves_n; i++)
		json_array_append_new(curves, curve_json(r, &r->curves[i]));
	for (size_t i = 0; i < r->rows_n; i++)
		json_array_append_new(rows, row_json(&r->rows[i]));
	for (size_t i = 0; i < r->gaps_n; i++)
		json_array_append_new(gaps, gap_json(&r->gaps[i]));
	json_object_set_new(root, "tool_version", json_string(SWAPCAL_VERSION));
	json_object_set_new(root, "schema_version", json_integer(STORE_SCHEMA_VERSION));
	json_object_set_new(root, "plan", format_json_string(r->plan_name));
	json_object_set_new(root, "run_status", format_json_string(r->run_status));
	json_object_set_new(root, "thresholds", thresholds);
	json_object_set_new(root, "curves", curves);
	json_object_set_new(root, "margin_pct", json_real(r->margin_pct));
	for (size_t i = 0; i < r->agreements_n; i++)
		json_array_append_new(agreements, report_agreement_json(&r->agreements[i]));
	json_object_set_new(root, "agreement", agreements);
	json_object_set_new(root, "picked", r->agreements_n ? picked_json(r) : json_null());
	json_object_set_new(root, "rows", rows);
	json_object_set_new(root, "reclaim", report_reclaim_json(r));
	json_object_set_new(root, "locality", report_locality_json(r));
	json_object_set_new(root, "space_time", report_space_time_json(r));
	json_object_set_new(root, "not_measured", gaps);

	format_json(out, root);
}
