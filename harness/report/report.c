/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/campaign/campaign.h"
#include "harness/cell/cell.h"
#include "harness/plan/plan.h"

/* The values of one metric over the whole file, by probe. */
struct metric_values {
	struct metric_value *v;
	size_t n;
};

static bool is_threshold(const struct cell *cell)
{
	return cell_is(cell, METHOD_THRESHOLD);
}

static int by_probe(const void *a, const void *b)
{
	const struct metric_value *x = a, *y = b;

	return (x->probe_id > y->probe_id) - (x->probe_id < y->probe_id);
}

static int by_snapshot(const void *a, const void *b)
{
	const struct metric_value *x = a, *y = b;
	int probe = by_probe(a, b);

	return probe ? probe : (x->snapshot_id > y->snapshot_id) - (x->snapshot_id < y->snapshot_id);
}

static struct err *read_values(struct query *q, const struct metric *metric, struct metric_values *ret)
{
	struct query_text text = metric_query(metric);
	struct err *e = query_metric(q, &text, &ret->v, &ret->n);

	if (!e && ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_snapshot);
	return e;
}

/* All metrics over the whole file. A wrong one is found before any evidence is read. */
static struct err *read_all_values(struct store *store, const struct metric *metrics,
				   struct metric_values *values, size_t n)
{
	cleanup(cleanup_views_) struct views *views = NULL;
	cleanup(cleanup_query_) struct query *q = NULL;
	struct err *e = NULL;
	unsigned set = 0;

	for (size_t i = 0; !e && i < n; i++) {
		struct query_text text = metric_query(&metrics[i]);

		e = query_check(&text, &set);
	}
	if (!e)
		e = store_views(store, set, &views);
	if (!e)
		e = query_open(views, &q);
	for (size_t i = 0; !e && i < n; i++)
		e = read_values(q, &metrics[i], &values[i]);
	return e;
}

/* The values of a probe, in the order of its snapshots: of a population there are two. */
static const struct metric_value *find_values(const struct metric_values *values, int64_t probe_id,
					      size_t *ret_n)
{
	struct metric_value key = { .probe_id = probe_id };
	const struct metric_value *first =
		values->n ? bsearch(&key, values->v, values->n, sizeof(key), by_probe) : NULL;
	const struct metric_value *end = first;

	if (!first)
		return NULL;
	while (first > values->v && first[-1].probe_id == probe_id)
		first--;
	while (end < values->v + values->n && end->probe_id == probe_id)
		end++;
	*ret_n = (size_t)(end - first);
	return first;
}

/* Means over the probes that came as far as to tell; NAN when none did. */
static void mean_memory(const struct probe_record *probes, size_t n, double *total, double *available)
{
	double sum_total = 0, sum_available = 0;
	unsigned count = 0;

	for (size_t i = 0; i < n; i++) {
		if (!probes[i].mem_total_kib)
			continue;
		sum_total += (double)probes[i].mem_total_kib;
		sum_available += (double)probes[i].mem_available0_kib;
		count++;
	}
	*total = count ? sum_total / count : NAN;
	*available = count ? sum_available / count : NAN;
}

bool report_has_y(const struct probe_record *probe, const struct probe_record *probes, size_t n)
{
	if (probe->kind == PROBE_RAM)
		return report_ram_has_y(probe, probes, n);
	return probe->outcome == OUTCOME_ONSET && probe->kind != PROBE_RAMP;
}

/* Of a population the last value is that at onset; the one before it widens the range. */
static void add_values(struct report_row *row, const struct metric_value *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i].is_incomplete)
			report_add_flags(&row->flags, "incomplete-evidence");
		row->y_lo_kib = fmin(row->y_lo_kib, v[i].y_kib);
		row->y_hi_kib = fmax(row->y_hi_kib, v[i].y_kib);
	}
	row->values_kib[row->n++] = v[n - 1].y_kib;
}

static void compute_y(struct report_row *row, const struct probe_record *probes, size_t n,
		      const struct metric_values *values)
{
	double sum = 0;
	bool has_any = false;

	row->y_kib = row->y_lo_kib = row->y_hi_kib = NAN;
	row->values_kib = xcalloc(n, sizeof(*row->values_kib));
	for (size_t i = 0; i < n; i++) {
		const struct metric_value *v;
		size_t values_n;

		if (!report_has_y(&probes[i], probes, n))
			continue;
		has_any = true;
		v = find_values(values, probes[i].id, &values_n);
		if (!v)
			continue;
		report_add_flags(&row->flags, probes[i].flags);
		add_values(row, v, values_n);
		sum += row->values_kib[row->n - 1];
	}
	if (row->n)
		row->y_kib = sum / row->n;
	else
		report_add_flags(&row->flags, has_any ? "no-value" : "no-onset");
}

static void set_z(const struct report *r, struct report_row *row, const struct probe_record *probes, size_t n)
{
	const struct report_threshold *t = row->threshold;

	if (cell_is(row->cell, METHOD_RAM)) {
		report_ram_compute(r, row, probes, n);
		return;
	}

	if (cell_is(row->cell, METHOD_DISPLACEMENT)) {
		report_displacement_compute(row, probes, n);
		return;
	}
	report_add_flags(&row->flags, t ? t->flags : "z-missing");
	row->z_kib = t ? t->z_kib : (double)NAN;
	row->z_lo_kib = t ? t->z_lo_kib : (double)NAN;
	row->z_hi_kib = t ? t->z_hi_kib : (double)NAN;
}

static void compare(struct report_row *row)
{
	row->diff_kib = row->y_kib - row->z_kib;
	/* Percent of what may as well be nothing are no number. */
	row->diff_pct = row->z_kib > row->z_resolution_kib ? 100 * row->diff_kib / row->z_kib : (double)NAN;
}

/* Equal differences are equally good. */
static void mark_best(struct report_row *rows, size_t n)
{
	double best = NAN;

	for (size_t i = 0; i < n; i++)
		best = fmin(best, fabs(rows[i].diff_kib));
	for (size_t i = 0; i < n; i++)
		rows[i].is_best = n > 1 && fabs(rows[i].diff_kib) <= best;
}

static const struct report_threshold *find_threshold(const struct report *r, const struct cell *cell)
{
	for (size_t i = 0; i < r->thresholds_n; i++)
		if (strcmp(r->thresholds[i].cell->key, cell->threshold_key) == 0)
			return &r->thresholds[i];
	return NULL;
}

static void build_rows(struct report *r, const struct cell *cell, const struct probe_record *probes, size_t n,
		       const struct metric *metrics, const struct metric_values *values, size_t metrics_n)
{
	struct report_row *rows = &r->rows[r->rows_n];
	const struct report_threshold *threshold = find_threshold(r, cell);
	double total_kib, available_kib;

	mean_memory(probes, n, &total_kib, &available_kib);
	for (size_t i = 0; i < metrics_n; i++) {
		struct report_row *row = &rows[i];

		row->cell = cell;
		row->metric = metrics[i].name;
		row->threshold = threshold;
		row->x_mib = cell_uint(cell, "x_mib");
		row->flags = xstrdup("");
		row->mem_total_kib = total_kib;
		row->mem_available0_kib = available_kib;
		row->expected_kib = NAN;
		compute_y(row, probes, n, &values[i]);
		set_z(r, row, probes, n);
		compare(row);
	}
	mark_best(rows, metrics_n);
	r->rows_n += metrics_n;
}

static struct err *build_thresholds(struct store *store, struct report *r)
{
	r->thresholds = xcalloc(r->cells_n, sizeof(*r->thresholds));
	for (size_t i = 0; i < r->cells_n; i++) {
		struct probe_record *probes;
		size_t n;

		if (!is_threshold(&r->cells[i]))
			continue;

		struct err *e = store_probes(store, r->cells[i].key, &probes, &n);

		if (e)
			return e;

		struct report_threshold *t = &r->thresholds[r->thresholds_n++];

		report_threshold_compute(&r->cells[i], probes, n, t);
		report_ramp_compute(probes, n, t);
		mean_memory(probes, n, &t->mem_total_kib, &t->mem_available0_kib);
		store_probes_free(probes, n);
	}
	return NULL;
}

static struct err *build_cells(struct store *store, struct report *r, const struct metric *metrics,
			       const struct metric_values *values, size_t metrics_n)
{
	r->rows = xcalloc(r->cells_n * metrics_n, sizeof(*r->rows));
	for (size_t i = 0; i < r->cells_n; i++) {
		struct probe_record *probes;
		size_t n;
		struct err *e = store_probes(store, r->cells[i].key, &probes, &n);

		if (e)
			return e;
		build_rows(r, &r->cells[i], probes, n, metrics, values, metrics_n);
		report_find_gaps(r, &r->cells[i], probes, n);
		store_probes_free(probes, n);
	}
	return NULL;
}

static struct err *read_run(struct store *store, struct report *r)
{
	cleanup_free char *plan_text = NULL;
	json_t *audit = NULL;
	struct err *e = store_last_run(store, &audit, &r->plan_name, &plan_text, &r->run_status);

	json_decref(audit);
	if (!e && isnan(r->margin_pct))
		r->margin_pct = plan_text_margin_pct(plan_text);
	if (!e && !r->plan_name)
		r->plan_name = xstrdup("");
	if (!e && !r->run_status)
		r->run_status = xstrdup("");
	return e;
}

static struct err *build(struct store *store, struct report *r, const struct metric *metrics,
			 struct metric_values *values, size_t metrics_n)
{
	struct err *e = read_run(store, r);

	if (!e)
		e = store_cells(store, &r->cells, &r->cells_n);
	if (!e)
		e = build_thresholds(store, r);
	if (!e)
		report_curves_compute(r);
	if (!e)
		e = read_all_values(store, metrics, values, metrics_n);
	if (!e)
		e = build_cells(store, r, metrics, values, metrics_n);
	if (!e)
		e = report_known_expect(r, metrics, metrics_n);
	if (!e)
		e = report_reclaim_build(store, r);
	if (!e)
		report_agree(r, metrics_n);
	return e;
}

struct err *report_add_costs(struct report *r, struct store *store, const struct metric *metrics,
			     size_t metrics_n)
{
	struct err *e = report_space_time_build(store, r, metrics_n);

	if (!e)
		e = report_checkpoints_build(store, r, metrics, metrics_n);
	return e ? e : report_locality_build(store, r);
}

struct err *report_build(struct store *store, const struct metric *metrics, size_t metrics_n,
			 double margin_pct, struct report **ret)
{
	cleanup(cleanup_report_) struct report *r = xcalloc(1, sizeof(*r));
	struct metric_values *values = xcalloc(metrics_n, sizeof(*values));
	struct err *e;

	r->margin_pct = margin_pct;
	e = build(store, r, metrics, values, metrics_n);
	for (size_t i = 0; i < metrics_n; i++)
		free(values[i].v);
	free(values);
	if (e)
		return e;
	*ret = take_ptr(r);
	return NULL;
}

void report_destroy(struct report *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->gaps_n; i++)
		free(r->gaps[i].reason);
	for (size_t i = 0; i < r->rows_n; i++)
		free(r->rows[i].flags);
	for (size_t i = 0; i < r->rows_n; i++)
		free(r->rows[i].values_kib);
	for (size_t i = 0; i < r->thresholds_n; i++)
		free(r->thresholds[i].flags);
	report_curves_free(r);
	free(r->agreements);
	report_space_time_free(r);
	free(r->localities);
	free(r->reclaims);
	free(r->gaps);
	free(r->rows);
	free(r->thresholds);
	store_cells_free(r->cells, r->cells_n);
	free(r->run_status);
	free(r->plan_name);
	free(r);
}
