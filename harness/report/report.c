/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/cell/cell-format.h"
#include "harness/plan/plan.h"
#include "harness/report/report-parts.h"

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

static struct err *build(struct store *store, struct report *r)
{
	struct err *e = read_run(store, r);

	if (!e)
		e = report_probes_read(store, r);
	if (e)
		return e;
	report_thresholds_compute(r);
	report_curves_compute(r);
	report_gaps_find(r);
	e = report_rows_build(store, r);
	if (!e)
		e = report_known_expect(r);
	if (!e)
		e = report_reclaim_build(store, r);
	if (!e)
		report_agree(r);
	return e;
}

struct err *report_build(struct store *store, const struct metric *metrics, size_t metrics_n,
			 double margin_pct, struct report **ret)
{
	cleanup(cleanup_report_) struct report *r = xcalloc(1, sizeof(*r));
	struct err *e;

	r->metrics = metrics;
	r->metrics_n = metrics_n;
	r->margin_pct = margin_pct;
	e = build(store, r);
	if (e)
		return e;
	*ret = take_ptr(r);
	return NULL;
}

struct err *report_add_costs(struct report *r, struct store *store)
{
	struct err *e = report_space_time_build(store, r);

	return e ? e : report_locality_build(store, r);
}

void report_destroy(struct report *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->gaps_n; i++)
		free(r->gaps[i].reason);
	for (size_t i = 0; i < r->rows_n; i++) {
		free(r->rows[i].flags);
		free(r->rows[i].values_kib);
	}
	for (size_t i = 0; i < r->thresholds_n; i++)
		free(r->thresholds[i].flags);
	report_curves_free(r);
	report_space_time_free(r);
	report_probes_free(r);
	free(r->agreements);
	free(r->loads);
	free(r->localities);
	free(r->reclaims);
	free(r->gaps);
	free(r->rows);
	free(r->thresholds);
	free(r->run_status);
	free(r->plan_name);
	free(r);
}

/* Words with ", " between them, wrapped before column 100. */
static void add_wrapped(struct strbuf *out, size_t *column, const char *word)
{
	if (*column && *column + strlen(word) + 2 > 98) {
		strbuf_adds(out, ",\n");
		*column = 0;
	} else if (*column) {
		strbuf_adds(out, ", ");
		*column += 2;
	}
	strbuf_adds(out, word);
	*column += strlen(word);
}

static void add_heading(struct strbuf *out, const struct report *r)
{
	size_t column = 0;

	strbuf_adds(out, "Plan ");
	format_clean(out, *r->plan_name ? r->plan_name : "(none)");
	if (strcmp(r->run_status, "done") != 0 && *r->run_status) {
		strbuf_adds(out, " (latest run: ");
		format_clean(out, r->run_status);
		strbuf_adds(out, ")");
	}
	strbuf_adds(out, "\n");
	if (!r->cells_n)
		return;
	const struct cell_trait *trait;

	for (size_t i = 0; (trait = cell_trait_at(i)); i++) {
		cleanup_strbuf struct strbuf text = STRBUF_INIT;

		if (format_is_shared(r->cells, r->cells_n, trait))
			format_trait(&text, r->cells, trait);
		if (text.len)
			add_wrapped(out, &column, text.data);
	}
	strbuf_adds(out, "\n");
}

static bool has_small_n(const struct report *r)
{
	/* A range begins to mean something with five values; three span little of what may come. */
	for (size_t i = 0; i < r->rows_n; i++)
		if (r->rows[i].n < 5)
			return true;
	return false;
}

void report_text(const struct report *r, struct strbuf *out)
{
	add_heading(out, r);
	if (!r->cells_n) {
		strbuf_adds(out, "\nThe file has no cells yet.\n");
		return;
	}
	report_thresholds_text(r, out);
	report_curves_text(r, out);
	report_rows_text(r, out);
	report_known_text(r, out);
	report_agreement_text(r, out);
	report_weights_text(r, out);
	report_weighings_text(r, out);
	report_space_time_text(r, out);
	report_locality_text(r, out);
	report_reclaim_text(r, out);
	report_gaps_text(r, out);
	strbuf_adds(
		out,
		"\nZ*: the ballast at which half of such guests start to swap. bracket: the largest that did not, the\n"
		"smallest that did. Y: what the metric says of the load at that moment, mean of n. *: nearest to\n"
		"Z*, as far as these digits tell.\n");
	if (r->agreements_n)
		strbuf_adds(
			out,
			"error: the largest that is likely, the end of \"95 % of errors\" further from 0, if errors are\n"
			"normal. surely within: wider, for errors that are not; a few loads show no rare large errors.\n"
			"validated: that is within the margin. rejected: an end of \"95 % of errors\" is surely beyond\n"
			"it, or so many loads are that no 95 % can be within. See swapcal-statistics(7).\n");
	if (has_small_n(r))
		strbuf_adds(out, "n is small: a range is what was seen, not what can be expected.\n");
}

void report_json(const struct report *r, struct strbuf *out)
{
	json_t *root = json_object();

	json_object_set_new(root, "tool_version", json_string(SWAPCAL_VERSION));
	json_object_set_new(root, "schema_version", json_integer(STORE_SCHEMA_VERSION));
	json_object_set_new(root, "plan", format_json_string(r->plan_name));
	json_object_set_new(root, "run_status", format_json_string(r->run_status));
	json_object_set_new(root, "thresholds", report_thresholds_json(r));
	json_object_set_new(root, "curves", report_curves_json(r));
	json_object_set_new(root, "margin_pct", json_real(r->margin_pct));
	json_object_set_new(root, "agreement", report_agreements_json(r));
	json_object_set_new(root, "picked", report_picked_json(r));
	json_object_set_new(root, "rows", report_rows_json(r));
	json_object_set_new(root, "weights", report_weights_json(r));
	json_object_set_new(root, "reclaim", report_reclaim_json(r));
	json_object_set_new(root, "locality", report_locality_json(r));
	json_object_set_new(root, "space_time", report_space_time_json(r));
	json_object_set_new(root, "not_measured", report_gaps_json(r));
	format_json(out, root);
}
