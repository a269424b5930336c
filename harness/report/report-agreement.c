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
 * How well each metric agrees with swapping over all workloads, best first. A load counts once, with all the
 * guests, methods and replicates that it was measured in, for what a metric misses of a load it misses in
 * each of them. The ballast's own cells take no part, since Z* is made of them, nor do known-answer loads,
 * which are made to catch metrics: they are no sample of what people run.
 */

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

static double error_of(const struct agreement *a)
{
	if (a->clusters < 2)
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

struct report_agreement report_judge(const struct report *r, size_t metric, double confidence)
{
	struct report_agreement ret = { .metric = r->metrics[metric].name,
					.index = metric,
					.no_value = count_no_value(r, metric) };
	struct agreement_params params = { .margin_pct = r->margin_pct,
					   .z_uncertainty_pct = z_uncertainty_pct(r),
					   .confidence = REPORT_CONFIDENCE,
					   .confidence_validated = confidence };
	cleanup_free struct agreement_pair *pairs = NULL;
	size_t n = 0, cap = 0;

	for (size_t i = metric; i < r->rows_n; i += r->metrics_n) {
		const struct report_row *row = &r->rows[i];

		ret.cells += report_is_compared(row) && row->n;
		for (unsigned k = 0; report_is_compared(row) && k < row->n; k++)
			*array_push(pairs, n, cap) =
				(struct agreement_pair){ .z = row->z.kib / 1024,
							 .y = row->values_kib[k] / 1024,
							 .cluster = r->loads[row->cell - r->cells] };
	}
	agreement_compare(pairs, n, &params, &ret.agreement);
	ret.error_pct = error_of(&ret.agreement);
	return ret;
}

/* The mean error of a metric in each load, in percent of Z, as agreement_compare() takes it; their number. */
static size_t collect_means(const struct report *r, size_t metric, double *means)
{
	cleanup_free double *sums = xcalloc(r->cells_n, sizeof(*sums));
	cleanup_free size_t *counts = xcalloc(r->cells_n, sizeof(*counts));
	size_t n = 0;

	for (size_t i = metric; i < r->rows_n; i += r->metrics_n) {
		const struct report_row *row = &r->rows[i];
		size_t load = r->loads[row->cell - r->cells];

		if (!report_is_compared(row))
			continue;
		sums[load] += row->diff_pct * row->n;
		counts[load] += row->n;
	}
	for (size_t load = 0; load < r->cells_n; load++)
		if (counts[load])
			means[n++] = sums[load] / (double)counts[load];
	return n;
}

/*
 * The confidence of each bound for all metrics to hold together. Those that lack a value somewhere have other
 * loads, and share the error with the others as if they were unrelated.
 */
static double shared_confidence(const struct report *r)
{
	cleanup_free double *means = xcalloc(r->rows_n, sizeof(*means));
	size_t metrics = 0, loads = 0, apart = 0;

	for (size_t m = 0; m < r->metrics_n; m++) {
		if (count_no_value(r, m))
			apart++;
		else
			loads = collect_means(r, m, means + loads * metrics++);
	}

	double confidence = 1 - (1 - REPORT_CONFIDENCE) / (double)(apart + (metrics > 0));

	return ranking_confidence(means, metrics, loads, confidence, REPORT_SEED);
}

static void number_loads(struct report *r)
{
	r->loads = xcalloc(r->cells_n, sizeof(*r->loads));
	for (size_t i = 0; i < r->cells_n; i++)
		while (!cell_has_same_load(&r->cells[r->loads[i]], &r->cells[i]))
			r->loads[i]++;
}

void report_agree(struct report *r)
{
	bool is_any = false;

	for (size_t i = 0; i < r->rows_n; i++)
		is_any |= report_is_compared(&r->rows[i]) && r->rows[i].n;
	if (!is_any)
		return;

	number_loads(r);
	r->confidence = shared_confidence(r);
	r->agreements = xcalloc(r->metrics_n, sizeof(*r->agreements));
	r->agreements_n = r->metrics_n;
	for (size_t m = 0; m < r->metrics_n; m++)
		r->agreements[m] = report_judge(r, m, r->confidence);
	qsort(r->agreements, r->metrics_n, sizeof(*r->agreements), by_error);
}

/* The end of a text report: which metric is best, how good it is, how sure that is, and what would help. */

/* What is wider than anyone would call a bound. */
#define BOUND_MAX_PCT 999

static void add_row(struct strbuf *out, const struct report_agreement *a)
{
	const struct agreement_limits *pct = &a->agreement.pct;

	strbuf_addf(out, "  %-24s%9s%10s  %-16s %-16s %5zu  %s", a->metric,
		    NUMBER_TEXT(a->error_pct, "", " %"), NUMBER_TEXT(pct->bias, "+", " %"),
		    RANGE_TEXT(pct->loa.lo, pct->loa.hi, "+"),
		    pct->surely_within.hi - pct->surely_within.lo < 2 * BOUND_MAX_PCT
			    ? RANGE_TEXT(pct->surely_within.lo, pct->surely_within.hi, "+")
			    : "anything",
		    a->agreement.clusters, agreement_verdict_name(a->agreement.verdict));
	if (a->no_value)
		strbuf_addf(out, ", no value in %zu", a->no_value);
	table_end_line(out, "");
}

void report_undecided_text(const struct agreement *a, struct strbuf *out)
{
	if (a->clusters_needed)
		strbuf_addf(out, "%zu loads like these would decide, in four of five such campaigns",
			    a->clusters_needed);
	else if (a->has_outlier)
		strbuf_adds(out,
			    "heavy-tails: a load is far off the others, for which a larger one may stand");
	else
		strbuf_adds(out, a->verdict_reason);
}

void report_within_text(const struct agreement *a, struct strbuf *out)
{
	if (isfinite(a->within_share))
		strbuf_addf(
			out,
			"  %zu of %zu loads are within the margin: so are at least %.0f %% of such loads, however\n"
			"  their errors are distributed.\n",
			a->within, a->clusters, floor(100 * a->within_share));
}

static void add_best(struct strbuf *out, const struct report *r)
{
	const struct report_agreement *best = &r->agreements[0];

	strbuf_addf(out, "\n  Smallest likely error: %s. ", best->metric);
	if (best->agreement.clusters < 2) {
		strbuf_adds(out, "One load tells nothing about others.\n");
		return;
	}
	strbuf_addf(
		out,
		"%zu loads in %zu cells; each bound at %s %%, so that\n  all verdicts `validated` hold together at %.0f %%.\n",
		best->agreement.clusters, best->cells, format_fixed((char[32]){ 0 }, 100 * r->confidence, 2),
		100 * REPORT_CONFIDENCE);
	report_within_text(&best->agreement, out);
}

static void add_ranking(struct strbuf *out, const struct report *r)
{
	size_t decided = 0;

	strbuf_addf(
		out,
		"\nAgreement over all workloads, Y - Z in percent of Z; margin %s %%\n\n"
		"  metric                      error      mean  95 %% of errors   surely within    loads  verdict\n",
		MARGIN_TEXT(r->margin_pct));
	for (size_t i = 0; i < r->agreements_n; i++)
		add_row(out, &r->agreements[i]);
	add_best(out, r);
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
	const struct agreement *a = r->agreements_n ? &r->agreements[0].agreement : NULL;

	if (!a)
		return json_null();
	return json_pack("{s:o, s:o, s:[o, o], s:s}", "metric", format_json_string(r->agreements[0].metric),
			 "confidence", format_json_number(r->confidence), "outer_pct",
			 format_json_number(a->pct.surely_within.lo),
			 format_json_number(a->pct.surely_within.hi), "verdict",
			 agreement_verdict_name(a->verdict));
}

json_t *report_agreement_json(const struct report_agreement *a)
{
	json_t *object = json_object();

	json_object_set_new(object, "metric", format_json_string(a->metric));
	json_object_set_new(object, "error_pct", format_json_fixed(a->error_pct, 3));
	members_set_count(object, "no_value", a->no_value);
	members_set_count(object, "cells", a->cells);
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
