/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/stats/ranking.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/campaign/campaign.h"
#include "harness/cell/cell.h"
#include "harness/report/report.h"

/*
 * How well each metric agrees with swapping over all workloads, best first. A cell counts once, its
 * replicates together; Z of a cell is the same for all of them. The ballast's own cells take no part, since
 * Z* is made of them, nor do known-answer loads, which are made to catch metrics: they are no sample of what
 * people run.
 */

/* Of each bound of a verdict; together with the other side 90 %, as in a test for equivalence. */
#define CONFIDENCE 0.95

bool report_is_compared(const struct report_row *row)
{
	struct known_spec known;

	return isfinite(row->z_kib) && row->z_kib > row->z_resolution_kib && row->threshold &&
	       !cell_is(row->cell, METHOD_THRESHOLD) && !cell_known(row->cell, &known);
}

/*
 * The standard uncertainty of the row's Z that it shares with the other cells of its guest and method: that
 * of Z*; of a Zeq, which counts from the mean of the guest's ramps, that of this mean. A single ramp does not
 * tell by how much boots differ, but its step is known. Cells of method ram share the line, whose points are
 * known about as well as the one they refer to.
 */
static double shared_se_kib(const struct report_row *row)
{
	const struct report_threshold *t = row->threshold;

	if (!cell_is(row->cell, METHOD_DISPLACEMENT))
		return t->estimate.se_kib;
	return fmax(t->ramps.sd_kib, t->ramps.within_boot_kib) / sqrt(t->ramp.n);
}

/*
 * What the mean difference is uncertain by, in percent, as cells of a guest share the error of their Z: of
 * each guest and method by its share of the cells.
 */
static double z_uncertainty_pct(const struct report *r, size_t metrics_n)
{
	cleanup_free double(*shifts_pct)[2] = xcalloc(r->thresholds_n, sizeof(*shifts_pct));
	double variance = 0;
	size_t cells = 0;

	for (size_t i = 0; i < r->rows_n; i += metrics_n) {
		const struct report_row *row = &r->rows[i];

		if (!report_is_compared(row))
			continue;
		shifts_pct[row->threshold - r->thresholds][cell_is(row->cell, METHOD_DISPLACEMENT)] +=
			100 * shared_se_kib(row) / row->z_kib;
		cells++;
	}
	for (size_t t = 0; cells && t < r->thresholds_n; t++)
		for (int method = 0; method < 2; method++)
			variance += pow(shifts_pct[t][method] / (double)cells, 2);
	return sqrt(variance);
}

/* All values of a metric with their Z, in MiB; the number of the row is that of the cell. */
static struct agreement_pair *collect(const struct report *r, size_t metric, size_t metrics_n, size_t *ret_n)
{
	struct agreement_pair *pairs = NULL;
	size_t n = 0, cap = 0;

	for (size_t i = metric; i < r->rows_n; i += metrics_n)
		for (unsigned k = 0; report_is_compared(&r->rows[i]) && k < r->rows[i].n; k++)
			*array_push(pairs, n, cap) = (struct agreement_pair){
				.z = r->rows[i].z_kib / 1024, .y = r->rows[i].values_kib[k] / 1024, .cell = i
			};
	*ret_n = n;
	return pairs;
}

static void judge(const struct report *r, size_t metric, size_t metrics_n,
		  const struct agreement_params *params, struct agreement *ret)
{
	size_t n;
	cleanup_free struct agreement_pair *pairs = collect(r, metric, metrics_n, &n);

	agreement_compare(pairs, n, params, ret);
}

static double error_of(const struct agreement *a)
{
	if (a->cells < 2)
		return fabs(a->pct.bias);
	return fmax(fabs(a->pct.loa.lo), fabs(a->pct.loa.hi));
}

static size_t count_no_value(const struct report *r, size_t metric, size_t metrics_n)
{
	size_t count = 0;

	for (size_t i = metric; i < r->rows_n; i += metrics_n)
		count += report_is_compared(&r->rows[i]) && !r->rows[i].n;
	return count;
}

/* Who has a value in more cells comes first, then whose likely error is smaller. */
static int by_error(const void *x, const void *y)
{
	const struct report_agreement *a = x, *b = y;

	if (a->no_value != b->no_value)
		return a->no_value < b->no_value ? -1 : 1;
	if (a->error_pct < b->error_pct || a->error_pct > b->error_pct)
		return a->error_pct < b->error_pct ? -1 : 1;
	return strcmp(a->metric, b->metric);
}

/* What a row says of its cell, in percent of Z. */
static struct ranking_cell cell_of(const struct report_row *row)
{
	struct ranking_cell c = { .mean = row->diff_pct, .n = row->n };

	for (unsigned i = 0; i < row->n; i++)
		c.squares += pow(100 * (row->values_kib[i] - row->y_kib) / row->z_kib, 2);
	return c;
}

/* Every metric that has a value everywhere, in each cell: one metric after another. */
static struct ranking_cell *collect_cells(const struct report *r, size_t metrics_n, size_t *ret_metrics,
					  size_t *ret_cells)
{
	struct ranking_cell *data = xcalloc(r->rows_n, sizeof(*data));
	size_t n = 0;

	*ret_metrics = *ret_cells = 0;
	for (size_t m = 0; m < metrics_n; m++) {
		if (count_no_value(r, m, metrics_n))
			continue;
		for (size_t i = m; i < r->rows_n; i += metrics_n)
			if (report_is_compared(&r->rows[i]))
				data[n++] = cell_of(&r->rows[i]);
		++*ret_metrics;
		*ret_cells = n / *ret_metrics;
	}
	return data;
}

/* By the name's address: two metrics may have the same name. */
static size_t index_of(const struct report *r, const char *metric, size_t metrics_n)
{
	size_t i = 0;

	while (i + 1 < metrics_n && r->rows[i].metric != metric)
		i++;
	return i;
}

static void judge_picked(struct report *r, size_t metrics_n, struct agreement_params params)
{
	size_t metrics, cells, picked = index_of(r, r->agreements[0].metric, metrics_n), place = 0;
	cleanup_free struct ranking_cell *data = collect_cells(r, metrics_n, &metrics, &cells);

	for (size_t m = 0; m < picked; m++)
		place += !count_no_value(r, m, metrics_n);
	r->picked_confidence = ranking_confidence(data, metrics, cells, CONFIDENCE, REPORT_SEED);
	/* The first one has no value in some cell only when that is so of all. */
	r->picked_share = metrics ? ranking_first(data, metrics, cells, place, REPORT_SEED) : (double)NAN;
	params.confidence = r->picked_confidence;
	judge(r, picked, metrics_n, &params, &r->picked);
}

void report_agree(struct report *r, size_t metrics_n)
{
	bool is_any = false;

	for (size_t i = 0; i < r->rows_n; i++)
		is_any |= report_is_compared(&r->rows[i]) && r->rows[i].n;
	if (!is_any)
		return;

	struct agreement_params params = {
		.margin_pct = r->margin_pct,
		.z_uncertainty_pct = z_uncertainty_pct(r, metrics_n),
		.confidence = CONFIDENCE,
	};

	r->agreements = xcalloc(metrics_n, sizeof(*r->agreements));
	r->agreements_n = metrics_n;
	for (size_t m = 0; m < metrics_n; m++) {
		struct report_agreement *a = &r->agreements[m];

		a->metric = r->rows[m].metric;
		a->no_value = count_no_value(r, m, metrics_n);
		judge(r, m, metrics_n, &params, &a->agreement);
		a->error_pct = error_of(&a->agreement);
	}
	qsort(r->agreements, metrics_n, sizeof(*r->agreements), by_error);
	judge_picked(r, metrics_n, params);
}
