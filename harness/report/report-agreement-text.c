/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "harness/base/format.h"
#include "harness/campaign/campaign.h"
#include "harness/cell/cell-format.h"
#include "harness/cell/cell-search.h"
#include "harness/report/report.h"
#include "harness/report/table.h"

/* The end of a text report: which metric, how good, how sure, and what to do where that is not enough. */

static void add_margin(struct strbuf *out, double margin_pct)
{
	char text[32];

	strbuf_adds(out, format_fixed(text, margin_pct, margin_pct == floor(margin_pct) ? 0 : 2));
	strbuf_adds(out, " %");
}

static void add_row(struct strbuf *out, const struct report_agreement *a)
{
	const struct agreement_limits *pct = &a->agreement.pct;

	strbuf_addf(out, "  %-24s", a->metric);
	table_number(out, 9, a->error_pct, "", " %");
	table_number(out, 10, pct->bias, "+", " %");
	strbuf_adds(out, "  ");
	table_range(out, 16, pct->loa.lo, pct->loa.hi, "+");
	strbuf_adds(out, " ");
	table_range(out, 16, pct->outer.lo, pct->outer.hi, "+");
	strbuf_addf(out, " %5zu  %s", a->agreement.cells, agreement_verdict_name(a->agreement.verdict));
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
	char confidence[32];

	strbuf_addf(out, "\n  Smallest likely error: %s. ", r->agreements[0].metric);
	if (a->cells < 2) {
		strbuf_adds(out, "One cell tells nothing about others.\n");
		return;
	}
	strbuf_addf(out, "When cells are drawn anew it comes first in %.0f %%.\n", 100 * r->picked_share);
	strbuf_addf(out, "  Since it was picked of %zu, its bounds at %s %%: ", r->agreements_n,
		    format_fixed(confidence, 100 * r->picked_confidence, 2));
	table_range(out, 0, a->pct.outer.lo, a->pct.outer.hi, "+");
	strbuf_addf(out, " %%: %s within ", agreement_verdict_name(a->verdict));
	add_margin(out, r->margin_pct);
	strbuf_adds(out, ".\n");
}

static void add_ranking(struct strbuf *out, const struct report *r)
{
	size_t decided = 0;

	strbuf_adds(out, "\nAgreement over all workloads, Y - Z in percent of Z; margin ");
	add_margin(out, r->margin_pct);
	strbuf_adds(
		out,
		"\n\n  metric                      error      mean  95 % of errors   surely within    cells  "
		"verdict\n");
	for (size_t i = 0; i < r->agreements_n; i++)
		add_row(out, &r->agreements[i]);
	add_picked(out, r);
	/* Who is far behind need not be decided. */
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
	format_cell(out, t->cell);
	format_varying(out, t->cell, r->cells, r->cells_n);
	if (isfinite(half_kib)) {
		strbuf_adds(out, ": Z* is known within ");
		table_mib(out, 0, half_kib);
		strbuf_adds(out, " MiB, wanted ");
	} else {
		strbuf_adds(out, ": Z* is open above, wanted within ");
	}
	table_mib(out, 0, (double)params.precision_kib);
	strbuf_addf(out, ", after %u probes, %u contradict.\n", e->answers, e->contradictions);
	strbuf_addf(out,
		    "  Raise `replicates` of the plan: `swapcal run PLAN -o FILE` asks %u more at most for "
		    "each.\n",
		    params.max_probes);
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

		if (!strstr(t->flags, "unstable-threshold"))
			continue;
		if (!warnings++)
			strbuf_adds(out, "\n");
		add_warning(out, r, t);
	}
}
