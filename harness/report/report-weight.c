/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "calibrate/stats/distribution.h"
#include "harness/report/report-parts.h"

/*
 * What the weights of displaced loads are made of (calibrate/evidence/weight.h), so that an error of a metric
 * can be told apart: what it misses of what the load holds, and what it does not know of page cache and free
 * memory at onset.
 */

static const struct report_row *find_row(const struct report *r, size_t cell, const char *metric)
{
	const struct report_row *rows = report_rows_of(r, &r->cells[cell]);

	for (size_t i = 0; i < r->metrics_n; i++)
		if (strcmp(rows[i].metric, metric) == 0)
			return &rows[i];
	return rows;
}

static bool is_weighed(const struct report_row *row)
{
	return isfinite(row->z.kib) && isfinite(row->z.parts.held_kib);
}

static void add_row(struct strbuf *out, const struct report *r, const struct report_row *row)
{
	const struct report_z *z = &row->z;
	const struct weight_parts *p = &z->parts;

	table_cell(out, TABLE_LABEL, r, row->cell);
	strbuf_addf(out, "%7s%7s%7s%7s%7s%7s%9s%8s%8s", MIB_TEXT(z->kib),
		    NUMBER_TEXT(50 * (z->hi_kib - z->lo_kib) / z->kib, "", " %"), MIB_TEXT(p->held_kib),
		    NUMBER_TEXT(p->file_kib / 1024, "+", ""),
		    NUMBER_TEXT((p->free_kib + p->tables_kib) / 1024, "+", ""),
		    NUMBER_TEXT(report_closure_kib(z) / 1024, "+", ""),
		    NUMBER_TEXT(p->drift_kib / 1024, "+", ""),
		    NUMBER_TEXT((row->y_kib - p->held_kib) / 1024, "+", ""),
		    NUMBER_TEXT(row->diff_kib / 1024, "+", ""));
	table_end_line(out, report_is_drifting(z) ? "drifting" : "");
}

void report_weights_text(const struct report *r, struct strbuf *out)
{
	const char *metric = r->agreements_n ? r->agreements[0].metric : "";
	size_t n = 0;

	for (size_t i = 0; r->rows_n && i < r->cells_n; i++) {
		const struct report_row *row = find_row(r, i, metric);

		if (!is_weighed(row))
			continue;
		if (!n++)
			strbuf_addf(
				out,
				"\nWhat weights are made of, in MiB, and the error of %s\n\n"
				"  %-*s    Zeq  +- %%   held  cache   free    off    drift  Y-held   error\n",
				row->metric, TABLE_LABEL, "");
		add_row(out, r, row);
	}
	if (n)
		strbuf_adds(
			out,
			"\nheld: what the load could not give back at rest. cache, free: how much more page cache and\n"
			"free memory there was at onset than with the ballast alone, less page tables. off: by how much\n"
			"Zeq is not their sum. drift: by how much the load held more at onset than at rest; taken off\n"
			"Zeq. error: Y - Zeq, which is Y - held, less cache, free and off. +-: within this a margin\n"
			"cannot be decided by the cell.\n");
}

/*
 * --- Loads that were weighed with one thing otherwise than usual: what that changes. Both are weighed
 * against the same ballast, so the difference of the weights is that of what the ballasts beside them held.
 */

#define CONFIDENCE 0.95

/* Is b the cell that is as a, but weighed the usual way? */
static bool is_usual_of(const struct cell *b, const struct cell *a)
{
	return cell_is_weighed(b, "usual") && strcmp(b->threshold_key, a->threshold_key) == 0 &&
	       strcmp(b->method, a->method) == 0 && cell_has_same_load(b, a);
}

static const struct cell *find_usual(const struct report *r, const struct cell *cell)
{
	for (size_t i = 0; i < r->cells_n; i++)
		if (is_usual_of(&r->cells[i], cell))
			return &r->cells[i];
	return NULL;
}

/* What a ballast alone would have held more: up to a constant, the weights of a cell. */
struct weights {
	size_t n;
	double mean_kib, variance; /* of the mean */
};

static struct weights weights_of(const struct report *r, const struct cell *cell)
{
	const struct report_probes *p = &r->probes[cell - r->cells];
	struct weights w = { .n = 0 };
	double sum = 0, squares = 0;

	for (size_t i = 0; i < p->n; i++) {
		double kib = -4.0 * (double)p->v[i].load_pages - p->weighings[i].drift_kib;

		if (p->v[i].outcome != OUTCOME_ONSET || isnan(kib))
			continue;
		sum += kib;
		squares += kib * kib;
		w.n++;
	}
	w.mean_kib = sum / (double)w.n;
	w.variance = (squares - sum * w.mean_kib) / (double)(w.n - 1) / (double)w.n;
	return w;
}

/* Welch's interval for the difference of two means, in MiB. Two weights of each way are the least. */
static struct interval difference_mib(const struct weights *a, const struct weights *b)
{
	double v = a->variance + b->variance, mean = a->mean_kib - b->mean_kib;
	double df = v * v /
		    (a->variance * a->variance / (double)(a->n - 1) +
		     b->variance * b->variance / (double)(b->n - 1));
	double half = dist_t_quantile((1 + CONFIDENCE) / 2, df) * sqrt(v);

	if (a->n < 2 || b->n < 2)
		return INTERVAL_NONE;
	return (struct interval){ (mean - half) / 1024, (mean + half) / 1024 };
}

static void add_difference(struct strbuf *out, const struct report *r, const struct cell *cell,
			   const struct cell *usual)
{
	struct weights a = weights_of(r, cell), b = weights_of(r, usual);
	struct interval i = difference_mib(&a, &b);

	strbuf_adds(out, "  ");
	strbuf_addf(out, "%9s  %-17s%4zu%4zu  ", NUMBER_TEXT((a.mean_kib - b.mean_kib) / 1024, "+", ""),
		    RANGE_TEXT(i.lo, i.hi, "+"), a.n, b.n);
	table_name(out, r, cell);
	table_end_line(out, "");
}

void report_weighings_text(const struct report *r, struct strbuf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < r->cells_n; i++) {
		const struct cell *cell = &r->cells[i], *usual = NULL;

		if (cell_is(cell, METHOD_DISPLACEMENT) && !cell_is_weighed(cell, "usual"))
			usual = find_usual(r, cell);
		if (!usual)
			continue;
		if (!n++)
			strbuf_adds(
				out,
				"\nWhat a way of weighing changes, in MiB: the weight less that of the usual way\n\n"
				"       mean  95 % interval      n   of  cell\n");
		add_difference(out, r, cell, usual);
	}
}

static json_t *cell_json(const struct report *r, size_t cell)
{
	const struct report_row *row = report_rows_of(r, &r->cells[cell]);
	const struct weight_parts *p = &row->z.parts;
	json_t *o = json_object();

	members_set_cell(o, row->cell);
	members_set_mib(o, "z_mib", row->z.kib);
	members_set_mib(o, "drift_mib", p->drift_kib);
	members_set_mib(o, "held_mib", p->held_kib);
	members_set_mib(o, "cache_mib", p->file_kib);
	members_set_mib(o, "free_mib", p->free_kib);
	members_set_mib(o, "tables_mib", p->tables_kib);
	members_set_mib(o, "closure_mib", report_closure_kib(&row->z));
	json_object_set_new(o, "is_drifting", json_boolean(report_is_drifting(&row->z)));
	return o;
}

json_t *report_weights_json(const struct report *r)
{
	json_t *array = json_array();

	for (size_t i = 0; r->rows_n && i < r->cells_n; i++)
		if (is_weighed(report_rows_of(r, &r->cells[i])))
			json_array_append_new(array, cell_json(r, i));
	return array;
}
