/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/stats/ranking.h"
#include "harness/base/alloc.h"
#include "harness/cell/cell-format.h"
#include "harness/cell/cell-search.h"
#include "harness/compare/compare.h"
#include "harness/report/report-parts.h"

/*
 * How well each metric agrees with swapping over all workloads, best first. A cell counts once, its
 * replicates together; Z of a cell is the same for all of them. The ballast's own cells take no part, since
 * Z* is made of them, nor do known-answer loads, which are made to catch metrics: they are no sample of what
 * people run.
 */

/* Of each bound of a verdict; together with the other side 90 %, as in a test for equivalence. */
#define CONFIDENCE 0.95

/* Is the cell about how loads are weighed, and not about metrics? */
static bool is_trial(const struct cell *cell)
{
	return cell_is(cell, METHOD_DISPLACEMENT) && !cell_is_weighed(cell, "usual");
}

bool report_is_compared(const struct report_row *row)
{
	struct known_spec known;

	return isfinite(row->z.kib) && row->z.kib > row->z.resolution_kib && row->threshold &&
	       !cell_is(row->cell, METHOD_THRESHOLD) && !cell_known(row->cell, &known) &&
	       !report_is_drifting(&row->z) && !is_trial(row->cell);
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
static double z_uncertainty_pct(const struct report *r)
{
	cleanup_free double(*shifts_pct)[2] = xcalloc(r->thresholds_n, sizeof(*shifts_pct));
	double variance = 0;
	size_t cells = 0;

	for (size_t i = 0; i < r->rows_n; i += r->metrics_n) {
		const struct report_row *row = &r->rows[i];

		if (!report_is_compared(row))
			continue;
		shifts_pct[row->threshold - r->thresholds][cell_is(row->cell, METHOD_DISPLACEMENT)] +=
			100 * shared_se_kib(row) / row->z.kib;
		cells++;
	}
	for (size_t t = 0; cells && t < r->thresholds_n; t++)
		for (int method = 0; method < 2; method++)
			variance += pow(shifts_pct[t][method] / (double)cells, 2);
	return sqrt(variance);
}

/* Compares all values of a metric with their Z, in MiB; a cell goes by the number of its row. */
static void judge(const struct report *r, size_t metric, const struct agreement_params *params,
		  struct agreement *ret)
{
	cleanup_free struct agreement_pair *pairs = NULL;
	size_t n = 0, cap = 0;

	for (size_t i = metric; i < r->rows_n; i += r->metrics_n)
		for (unsigned k = 0; report_is_compared(&r->rows[i]) && k < r->rows[i].n; k++)
			*array_push(pairs, n, cap) = (struct agreement_pair){
				.z = r->rows[i].z.kib / 1024, .y = r->rows[i].values_kib[k] / 1024, .cell = i
			};
	agreement_compare(pairs, n, params, ret);
}

static double error_of(const struct agreement *a)
{
	if (a->cells < 2)
		return fabs(a->pct.bias);
	return fmax(fabs(a->pct.loa.lo), fabs(a->pct.loa.hi));
}

static size_t count_no_value(const struct report *r, size_t metric)
{
	size_t count = 0;

	for (size_t i = metric; i < r->rows_n; i += r->metrics_n)
		count += report_is_compared(&r->rows[i]) && !r->rows[i].n;
	return count;
}

/* A metric with a value in more cells comes first, then the one with the smaller likely error. */
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
		c.squares += pow(100 * (row->values_kib[i] - row->y_kib) / row->z.kib, 2);
	return c;
}

/* The cells of each metric that has a value in all of them, one metric after another. */
static struct ranking_cell *collect_cells(const struct report *r, size_t *ret_metrics, size_t *ret_cells)
{
	struct ranking_cell *data = xcalloc(r->rows_n, sizeof(*data));
	size_t n = 0;

	*ret_metrics = *ret_cells = 0;
	for (size_t m = 0; m < r->metrics_n; m++) {
		if (count_no_value(r, m))
			continue;
		for (size_t i = m; i < r->rows_n; i += r->metrics_n)
			if (report_is_compared(&r->rows[i]))
				data[n++] = cell_of(&r->rows[i]);
		++*ret_metrics;
		*ret_cells = n / *ret_metrics;
	}
	return data;
}

static void judge_picked(struct report *r, struct agreement_params params)
{
	size_t metrics, cells, picked = r->agreements[0].index, place = 0;
	cleanup_free struct ranking_cell *data = collect_cells(r, &metrics, &cells);

	for (size_t m = 0; m < picked; m++)
		place += !count_no_value(r, m);
	r->picked_confidence = ranking_confidence(data, metrics, cells, CONFIDENCE, REPORT_SEED);
	/* The first metric lacks a value in some cell only when every metric does. */
	r->picked_share = metrics ? ranking_first(data, metrics, cells, place, REPORT_SEED) : (double)NAN;
	params.confidence = r->picked_confidence;
	judge(r, picked, &params, &r->picked);
}

void report_agree(struct report *r)
{
	bool is_any = false;

	for (size_t i = 0; i < r->rows_n; i++)
		is_any |= report_is_compared(&r->rows[i]) && r->rows[i].n;
	if (!is_any)
		return;

	struct agreement_params params = {
		.margin_pct = r->margin_pct,
		.z_uncertainty_pct = z_uncertainty_pct(r),
		.confidence = CONFIDENCE,
	};

	r->agreements = xcalloc(r->metrics_n, sizeof(*r->agreements));
	r->agreements_n = r->metrics_n;
	for (size_t m = 0; m < r->metrics_n; m++) {
		struct report_agreement *a = &r->agreements[m];

		a->metric = r->metrics[m].name;
		a->index = m;
		a->no_value = count_no_value(r, m);
		judge(r, m, &params, &a->agreement);
		a->error_pct = error_of(&a->agreement);
	}
	qsort(r->agreements, r->metrics_n, sizeof(*r->agreements), by_error);
	judge_picked(r, params);
}

/* The end of a text report: which metric is best, how good it is, how sure that is, and what would help. */

static void add_row(struct strbuf *out, const struct report_agreement *a)
{
	const struct agreement_limits *pct = &a->agreement.pct;

	strbuf_addf(out, "  %-24s%9s%10s  %-16s %-16s %5zu  %s", a->metric,
		    NUMBER_TEXT(a->error_pct, "", " %"), NUMBER_TEXT(pct->bias, "+", " %"),
		    RANGE_TEXT(pct->loa.lo, pct->loa.hi, "+"), RANGE_TEXT(pct->outer.lo, pct->outer.hi, "+"),
		    a->agreement.cells, agreement_verdict_name(a->agreement.verdict));
	if (a->no_value)
		strbuf_addf(out, ", no value in %zu", a->no_value);
	table_end_line(out, "");
}

void report_undecided_text(const struct agreement *a, struct strbuf *out)
{
	size_t more = a->cells_needed > a->cells ? a->cells_needed - a->cells : 0;

	if (more)
		strbuf_addf(out, "about %zu more cells like these (%.0f probes) would decide", more,
			    ceil((double)more * a->replicates_mean));
	else
		strbuf_adds(out, a->verdict_reason);
}

static void add_picked(struct strbuf *out, const struct report *r)
{
	const struct agreement *a = &r->picked;

	strbuf_addf(out, "\n  Smallest likely error: %s. ", r->agreements[0].metric);
	if (a->cells < 2) {
		strbuf_adds(out, "One cell tells nothing about others.\n");
		return;
	}
	strbuf_addf(out,
		    "When cells are drawn anew it comes first in %.0f %%.\n"
		    "  Since it was picked of %zu, its bounds at %s %%: %s %%: %s within %s %%.\n",
		    100 * r->picked_share, r->agreements_n,
		    format_fixed((char[32]){ 0 }, 100 * r->picked_confidence, 2),
		    RANGE_TEXT(a->pct.outer.lo, a->pct.outer.hi, "+"), agreement_verdict_name(a->verdict),
		    MARGIN_TEXT(r->margin_pct));
}

static void add_ranking(struct strbuf *out, const struct report *r)
{
	size_t decided = 0;

	strbuf_addf(
		out,
		"\nAgreement over all workloads, Y - Z in percent of Z; margin %s %%\n\n"
		"  metric                      error      mean  95 %% of errors   surely within    cells  verdict\n",
		MARGIN_TEXT(r->margin_pct));
	for (size_t i = 0; i < r->agreements_n; i++)
		add_row(out, &r->agreements[i]);
	add_picked(out, r);
	/* A metric that is far behind need not be decided. */
	for (size_t i = 0; i < r->agreements_n && decided < 3; i++)
		if (r->agreements[i].agreement.verdict == AGREEMENT_UNDECIDED) {
			strbuf_addf(out, "  %s is undecided: ", r->agreements[i].metric);
			report_undecided_text(&r->agreements[i].agreement, out);
			strbuf_adds(out, "\n");
			decided++;
		}
}

static void add_warning(struct strbuf *out, const struct report *r, const struct report_threshold *t)
{
	const struct search_estimate *e = &t->estimate;
	struct search_params params = cell_search_params(t->cell);
	double half_kib = (e->ci_kib.hi - e->ci_kib.lo) / 2;

	strbuf_adds(out, "  warning: ");
	table_name(out, r, t->cell);
	if (isfinite(half_kib))
		strbuf_addf(out, ": Z* is known within %s MiB, wanted ", MIB_TEXT(half_kib));
	else
		strbuf_adds(out, ": Z* is open above, wanted within ");
	strbuf_addf(
		out,
		"%s, after %u probes, %u contradict.\n"
		"  Raise `replicates` of the plan: `swapcal run PLAN -o FILE` asks %u more at most for each.\n",
		MIB_TEXT((double)params.precision_kib), e->answers, e->contradictions, params.max_probes);
}

void report_agreement_text(const struct report *r, struct strbuf *out)
{
	size_t warnings = 0;

	if (r->agreements_n)
		add_ranking(out, r);
	else if (!report_has_known(r))
		strbuf_adds(out, "\nNo workload could be compared with a Z* yet.\n");
	for (size_t i = 0; i < r->thresholds_n; i++) {
		const struct report_threshold *t = &r->thresholds[i];

		if (!flags_have(t->flags, "unstable-threshold"))
			continue;
		if (!warnings++)
			strbuf_adds(out, "\n");
		add_warning(out, r, t);
	}
}

json_t *report_picked_json(const struct report *r)
{
	const struct interval *outer = &r->picked.pct.outer;

	if (!r->agreements_n)
		return json_null();
	return json_pack(
		"{s:o, s:o, s:o, s:[o, o], s:s}", "metric", format_json_string(r->agreements[0].metric),
		"confidence", format_json_fixed(r->picked_confidence, 3), "first_pct",
		format_json_fixed(100 * r->picked_share, 1), "outer_pct", format_json_number(outer->lo),
		format_json_number(outer->hi), "verdict", agreement_verdict_name(r->picked.verdict));
}

json_t *report_agreement_json(const struct report_agreement *a)
{
	json_t *object = json_object();

	json_object_set_new(object, "metric", format_json_string(a->metric));
	json_object_set_new(object, "error_pct", format_json_fixed(a->error_pct, 3));
	members_set_count(object, "no_value", a->no_value);
	compare_json_members(&a->agreement, object);
	return object;
}

static json_t *one_json(const struct report *r, size_t n)
{
	return report_agreement_json(&r->agreements[n]);
}

json_t *report_agreements_json(const struct report *r)
{
	return members_array(r, r->agreements_n, one_json);
}
