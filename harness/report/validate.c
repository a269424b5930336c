/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/report/validate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/cell/cell-format.h"

static bool is_within(const struct report_row *row, double margin_pct)
{
	/* z_lo is below 0 for a load that weighs next to nothing. */
	double lo = row->z.lo_kib - fabs(row->z.lo_kib) * margin_pct / 100;
	double hi = row->z.hi_kib + fabs(row->z.hi_kib) * margin_pct / 100;

	return isfinite(row->y_kib) && row->y_kib >= lo && row->y_kib <= hi;
}

/* Does the row count for the verdict on its metric? */
static bool is_judged(const struct report_row *row)
{
	struct known_spec known;

	return isfinite(row->z.kib) && isfinite(row->z.lo_kib) && isfinite(row->z.hi_kib) &&
	       (report_is_compared(row) || cell_known(row->cell, &known));
}

/* How far Y is from the interval of Z, in percent of the guest's Z*, since a load may weigh nothing. */
static double distance_pct(const struct report_row *row)
{
	bool is_known =
		row->threshold && isfinite(row->y_kib) && isfinite(row->z.lo_kib) && isfinite(row->z.hi_kib);
	double kib = fmax(0, fmax(row->z.lo_kib - row->y_kib, row->y_kib - row->z.hi_kib));
	double pct = is_known ? 100 * kib / row->threshold->z_kib : (double)NAN;

	/* Z* may not be known yet either, and NaN cannot be sorted. */
	return isnan(pct) ? (double)INFINITY : pct;
}

/* One shipped metric over all cells that are judged. */
struct score {
	size_t valued, within;
	double worst_pct;
};

/* A report's rows go cell by cell, each with all metrics in their order. */
static struct score score_of(const struct report *r, size_t metric)
{
	struct score s = { 0 };

	for (size_t i = metric; i < r->rows_n; i += r->metrics_n) {
		const struct report_row *row = &r->rows[i];

		if (!is_judged(row) || !isfinite(row->y_kib))
			continue;
		s.valued++;
		s.within += is_within(row, r->margin_pct);
		s.worst_pct = fmax(s.worst_pct, distance_pct(row));
	}
	return s;
}

/* The better metric is right in more cells, then has more values, then is less wrong at its worst. */
static bool is_better(const struct score *a, const struct score *b)
{
	if (a->within != b->within)
		return a->within > b->within;
	if (a->valued != b->valued)
		return a->valued > b->valued;
	return a->worst_pct < b->worst_pct;
}

/* The best of the metrics before the last; metrics_n - 1 when none has a value. */
static size_t find_best(const struct report *r, struct score *ret)
{
	size_t best = r->metrics_n - 1;
	struct score best_score = { 0 };

	for (size_t i = 0; i + 1 < r->metrics_n; i++) {
		struct score s = score_of(r, i);

		if (!s.valued || (best < r->metrics_n - 1 && !is_better(&s, &best_score)))
			continue;
		best = i;
		best_score = s;
	}
	*ret = best_score;
	return best;
}

static enum validate_state state_of(const struct report_row *row, double margin_pct)
{
	if (!isfinite(row->y_kib))
		return VALIDATE_NO_VALUE;
	return is_within(row, margin_pct) ? VALIDATE_WITHIN : VALIDATE_OFF;
}

/* Worst first; equal ones by the order of the plan. */
static int by_distance(const void *a, const void *b)
{
	const struct validate_cell *x = a, *y = b;

	if (x->distance_pct != y->distance_pct)
		return x->distance_pct > y->distance_pct ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

static void judge_cell(struct validation *v, const struct report_row *row, const struct report_row *best)
{
	struct validate_cell *cell = &v->cells[v->cells_n++];
	struct known_spec known;

	cell->row = row;
	cell->best = best;
	cell->state = state_of(row, v->margin_pct);
	cell->distance_pct = distance_pct(row);
	cell->is_known = cell_known(row->cell, &known);
	v->known += cell->is_known;
	v->known_off += cell->is_known && cell->state == VALIDATE_OFF;
	v->within += cell->state == VALIDATE_WITHIN;
	v->off += cell->state == VALIDATE_OFF;
	v->no_value += cell->state == VALIDATE_NO_VALUE;
}

static enum agreement_verdict verdict_of(const struct validation *v)
{
	if (v->no_value || v->known_off)
		return AGREEMENT_REJECTED;
	if (v->has_agreement)
		return v->agreement.agreement.verdict;
	return v->known ? AGREEMENT_VALIDATED : AGREEMENT_UNDECIDED;
}

void validate_judge(const struct report *r, struct validation *ret)
{
	size_t last = r->metrics_n - 1;
	struct score score;
	size_t best = find_best(r, &score);
	struct validation v = {
		.metric = &r->metrics[last],
		.best = best < last ? &r->metrics[best] : NULL,
		.best_within = score.within,
		.margin_pct = r->margin_pct,
		.cells = xcalloc(r->cells_n, sizeof(*v.cells)),
	};

	for (size_t i = 0; i < r->rows_n; i += r->metrics_n)
		if (is_judged(&r->rows[i + last]))
			judge_cell(&v, &r->rows[i + last], v.best ? &r->rows[i + best] : NULL);
	if (v.cells_n)
		qsort(v.cells, v.cells_n, sizeof(*v.cells), by_distance);
	/* It was not picked by these data, so it need not hold together with the others. */
	v.has_agreement = r->agreements_n;
	if (v.has_agreement)
		v.agreement = report_judge(r, last, REPORT_CONFIDENCE);
	v.verdict = verdict_of(&v);
	*ret = v;
}

void validation_deinit(struct validation *v)
{
	free(v->cells);
	*v = (struct validation){ 0 };
}

static const char *const state_names[] = {
	[VALIDATE_WITHIN] = "within",
	[VALIDATE_OFF] = "off",
	[VALIDATE_NO_VALUE] = "no-value",
};

static void add_cell(struct strbuf *out, const struct report *r, const struct validate_cell *cell)
{
	const struct report_row *row = cell->row;

	strbuf_addf(out, "  %-8s%9s%9s  %-16s%9s%9s", state_names[cell->state], MIB_TEXT(row->y_kib),
		    MIB_TEXT(row->z.kib), MIB_RANGE_TEXT(row->z.lo_kib, row->z.hi_kib),
		    NUMBER_TEXT(row->diff_kib / 1024, "+", ""), NUMBER_TEXT(row->diff_pct, "+", ""));
	if (cell->best)
		strbuf_addf(out, "%10s", MIB_TEXT(cell->best->y_kib));
	strbuf_adds(out, "  ");
	table_name(out, r, row->cell);
	if (*row->flags) {
		strbuf_adds(out, " (");
		format_clean(out, row->flags);
		strbuf_adds(out, ")");
	}
	strbuf_adds(out, "\n");
}

static void add_agreement(struct strbuf *out, const struct validation *v)
{
	const struct agreement *a = &v->agreement.agreement;

	strbuf_addf(out,
		    "\nOver %zu loads in %zu cells, %zu values, in percent of Z:\n"
		    "  mean error %s, 95 %% interval %s\n"
		    "  95 %% of errors lie in %s, surely within %s\n",
		    a->clusters, v->agreement.cells, a->n, NUMBER_TEXT(a->pct.bias, "+", " %"),
		    RANGE_TEXT(a->pct.bias_ci.lo, a->pct.bias_ci.hi, "+"),
		    RANGE_TEXT(a->pct.loa.lo, a->pct.loa.hi, "+"),
		    RANGE_TEXT(a->pct.surely_within.lo, a->pct.surely_within.hi, "+"));
	report_within_text(a, out);
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
	else if (!v->has_agreement)
		strbuf_addf(out, "it is right in all %zu cells with known answers; no workload was run",
			    v->known);
	else if (v->verdict == AGREEMENT_VALIDATED)
		strbuf_adds(out, "95 % of its errors lie within the margin, at 95 % confidence");
	else if (v->verdict == AGREEMENT_REJECTED)
		strbuf_adds(out, "a limit of its errors lies beyond the margin, at 95 % confidence");
	else
		report_undecided_text(&v->agreement.agreement, out);
}

static void add_verdict(struct strbuf *out, const struct validation *v)
{
	const char *margin = MARGIN_TEXT(v->margin_pct);

	if (v->best)
		strbuf_addf(out,
			    "\nBest shipped metric here: %s, within %s %% in %zu of %zu cells; %s in %zu\n",
			    v->best->name, margin, v->best_within, v->cells_n, v->metric->name, v->within);
	if (v->has_agreement)
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

static json_t *cell_json(const struct validate_cell *cell)
{
	const struct report_row *row = cell->row;
	json_t *o = json_object();

	json_object_set_new(o, "cell", members_cell_id(row->cell));
	json_object_set_new(o, "identity", json_incref(row->cell->identity));
	json_object_set_new(o, "state", json_string(state_names[cell->state]));
	members_set_mib(o, "y_mib", row->y_kib);
	members_set_mib(o, "z_mib", row->z.kib);
	members_set_mib(o, "z_lo_mib", row->z.lo_kib);
	members_set_mib(o, "z_hi_mib", row->z.hi_kib);
	members_set_mib(o, "diff_mib", row->diff_kib);
	json_object_set_new(o, "diff_pct", format_json_fixed(row->diff_pct, 2));
	json_object_set_new(o, "distance_pct", format_json_fixed(cell->distance_pct, 2));
	members_set_mib(o, "best_y_mib", cell->best ? cell->best->y_kib : (double)NAN);
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
			    v->has_agreement ? report_agreement_json(&v->agreement) : json_null());
	json_object_set_new(root, "within", json_integer((json_int_t)v->within));
	json_object_set_new(root, "off", json_integer((json_int_t)v->off));
	json_object_set_new(root, "no_value", json_integer((json_int_t)v->no_value));
	json_object_set_new(root, "best", v->best ? format_json_string(v->best->name) : json_null());
	json_object_set_new(root, "best_within", json_integer((json_int_t)v->best_within));
	json_object_set_new(root, "cells", cells);
	format_json(out, root);
}
