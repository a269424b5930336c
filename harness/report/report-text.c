/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/format.h"
#include "harness/campaign/campaign.h"
#include "harness/cell/cell-format.h"
#include "harness/cell/cell.h"
#include "harness/report/report.h"
#include "harness/report/table.h"

/* Tables for a person, in 100 columns. */

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
	for (const char *const *key = format_settings; *key; key++) {
		cleanup_strbuf struct strbuf setting = STRBUF_INIT;

		if (format_is_shared(r->cells, r->cells_n, *key))
			format_setting(&setting, r->cells, *key);
		if (setting.len)
			add_wrapped(out, &column, setting.data);
	}
	strbuf_adds(out, "\n");
}

static void add_threshold(struct strbuf *out, const struct report *r, const struct report_threshold *t)
{
	cleanup_strbuf struct strbuf varying = STRBUF_INIT;

	strbuf_addf(out, "%7u", cell_uint(t->cell, "x_mib"));
	table_mib(out, 10, t->mem_total_kib);
	table_mib(out, 14, t->mem_available0_kib);
	table_mib(out, 9, t->z_kib);
	strbuf_adds(out, "  ");
	table_range_mib(out, 16, t->z_lo_kib, t->z_hi_kib);
	table_number(out, 14, 100 * (t->z_kib - t->mem_available0_kib) / t->mem_available0_kib, "+", " %");
	strbuf_addf(out, "%8u%4u", t->answers + t->lost, t->n);
	format_varying(&varying, t->cell, r->cells, r->cells_n);
	if (varying.len)
		strbuf_addf(out, "  %s", varying.data + strlen(", "));
	table_end_line(out, t->flags);
}

/* An estimate with its interval: "188.3 [188.0, 188.6]". */
static void add_estimate(struct strbuf *out, const char *name, double kib, struct interval ci_kib)
{
	strbuf_addf(out, "%s ", name);
	table_mib(out, 0, kib);
	strbuf_adds(out, " ");
	table_range_mib(out, 0, ci_kib.lo, ci_kib.hi);
}

/* What stands behind a Z*: the bracket, what other estimators say, and what thresholds differ by. */
static void add_details(struct strbuf *out, const struct report_threshold *t)
{
	const struct search_estimate *e = &t->estimate;

	strbuf_addf(out, "\n%7u  bracket ", cell_uint(t->cell, "x_mib"));
	table_range_mib(out, 0, (double)e->bracket_lo_kib, (double)e->bracket_hi_kib);
	strbuf_addf(out, ", %u of %u answers contradict; ", e->contradictions, e->answers);
	add_estimate(out, "logistic", t->check.logistic.ed50, t->check.logistic.profile);
	strbuf_adds(out, ",\n         ");
	add_estimate(out, "isotonic", t->check.isotonic.ed50, t->check.isotonic.ci);
	strbuf_adds(out, "; boot to boot sd ");
	table_mib(out, 0, e->spread_kib);
	strbuf_adds(out, ", at most ");
	table_mib(out, 0, e->spread_hi_kib);
	if (t->check.separation == QUANTAL_COMPLETE)
		strbuf_adds(out, " (separated: maybe 0)");
	if (isfinite(t->ramps.sd_kib)) {
		strbuf_adds(out, ";\n         ramps: sd ");
		table_mib(out, 0, t->ramps.between_boots_kib);
		strbuf_adds(out, " between boots, ");
		table_mib(out, 0, t->ramps.within_boot_kib);
		strbuf_adds(out, " within a boot (one tick)");
	}
	strbuf_adds(out, "\n");
}

static void add_thresholds(struct strbuf *out, const struct report *r)
{
	strbuf_adds(out,
		    "\nSwap thresholds (ballast), in MiB\n\n"
		    "      X  MemTotal  MemAvailable       Z*  95 % interval   Z*-MemAvail.  probes   n\n");
	for (size_t i = 0; i < r->thresholds_n; i++)
		add_threshold(out, r, &r->thresholds[i]);
	if (!r->thresholds_n)
		strbuf_adds(out, "      none was asked for\n");
	for (size_t i = 0; i < r->thresholds_n; i++)
		if (isfinite(r->thresholds[i].z_kib))
			add_details(out, &r->thresholds[i]);
}

/* The doubts that all rows of a cell share, so that they are said once; "" when there are none. */
static const char *shared_flags(const struct report_row *rows, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (strcmp(rows[i].flags, rows[0].flags) != 0)
			return "";
	return rows[0].flags;
}

/* What heads the rows of one cell. */
static void add_group_head(struct strbuf *out, const struct report *r, const struct report_row *row,
			   const char *flags)
{
	const char *z = cell_is(row->cell, METHOD_DISPLACEMENT) ? "Zeq" : "Z*";

	strbuf_addf(out, "\n  %s: ", cell_str(row->cell, "method"));
	format_cell(out, row->cell);
	format_varying(out, row->cell, r->cells, r->cells_n);
	if (cell_is(row->cell, METHOD_RAM) && isfinite(row->x_mib))
		strbuf_addf(out, "; swaps at X = %.1f MiB", row->x_mib);
	if (cell_is(row->cell, METHOD_THRESHOLD))
		strbuf_adds(out, " (control)");
	if (isfinite(row->z_kib)) {
		strbuf_addf(out, "; %s ", z);
		table_mib(out, 0, row->z_kib);
		strbuf_adds(out, " ");
		table_range_mib(out, 0, row->z_lo_kib, row->z_hi_kib);
	}
	strbuf_adds(out, "\n");
	if (*flags) {
		strbuf_adds(out, "    flags: ");
		format_clean(out, flags);
		strbuf_adds(out, "\n");
	}
	strbuf_addf(out, "    metric                        Y MiB  range%19s%s MiB%8s%s %%   n\n", "Y - ", z,
		    "Y - ", z);
}

static bool looks_equal(double a, double b)
{
	char a_text[32], b_text[32];

	return strcmp(format_fixed(a_text, a, TABLE_DECIMALS), format_fixed(b_text, b, TABLE_DECIMALS)) == 0;
}

/* Is it shown as near to Z* as the best of its cell? */
static bool is_marked(const struct report_row *row, const struct report_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].is_best)
			return looks_equal(fabs(row->diff_kib) / 1024, fabs(rows[i].diff_kib) / 1024);
	return false;
}

static void add_row(struct strbuf *out, const struct report_row *row, bool with_mark, bool with_flags)
{
	strbuf_addf(out, "  %c %-24s", with_mark ? '*' : ' ', row->metric);
	table_mib(out, 11, row->y_kib);
	strbuf_adds(out, "  ");
	/* The range of a single value would look like precision. */
	if (row->n > 1)
		table_range_mib(out, 18, row->y_lo_kib, row->y_hi_kib);
	else
		strbuf_addf(out, "%-18s", "-");
	table_number(out, 12, row->diff_kib / 1024, "+", "");
	table_number(out, 12, row->diff_pct, "+", " %");
	strbuf_addf(out, "%4u", row->n);
	table_end_line(out, with_flags ? row->flags : "");
}

/* Rows from the first one on that are of the same cell. */
static size_t group_size(const struct report_row *rows, size_t n)
{
	size_t size = 0;

	while (size < n && rows[size].cell == rows[0].cell)
		size++;
	return size;
}

static void add_rows(struct strbuf *out, const struct report *r)
{
	struct known_spec known;

	strbuf_adds(out, "\nY versus Z*, in MiB\n");
	for (size_t i = 0, n; i < r->rows_n; i += n) {
		n = group_size(&r->rows[i], r->rows_n - i);
		/* They have tables of their own. */
		if (cell_known(r->rows[i].cell, &known))
			continue;

		const char *flags = shared_flags(&r->rows[i], n);

		add_group_head(out, r, &r->rows[i], flags);
		for (size_t j = i; j < i + n; j++)
			add_row(out, &r->rows[j], is_marked(&r->rows[j], &r->rows[i], n), !*flags);
	}
}

static void add_gaps(struct strbuf *out, const struct report *r)
{
	if (!r->gaps_n)
		return;
	strbuf_adds(out, "\nNot measured, or lost on the way\n\n");
	for (size_t i = 0; i < r->gaps_n; i++) {
		const struct report_gap *gap = &r->gaps[i];

		strbuf_adds(out, "  ");
		format_cell(out, gap->cell);
		format_varying(out, gap->cell, r->cells, r->cells_n);
		strbuf_addf(out, ": %s", gap->what);
		if (gap->probe_id)
			strbuf_addf(out, " (probe %lld)", (long long)gap->probe_id);
		strbuf_adds(out, ": ");
		format_clean(out, gap->reason);
		strbuf_adds(out, "\n");
	}
}

static bool has_small_n(const struct report *r)
{
	/* From five on a range begins to mean something; three values span little of what may come. */
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
	add_thresholds(out, r);
	report_curves_text(r, out);
	add_rows(out, r);
	report_known_text(r, out);
	report_agreement_text(r, out);
	report_space_time_text(r, out);
	report_locality_text(r, out);
	report_reclaim_text(r, out);
	add_gaps(out, r);
	strbuf_adds(
		out,
		"\nZ*: the ballast at which half of such guests start to swap. bracket: the largest that did "
		"not, the\nsmallest that did. Y: what the metric says of the load at that moment, mean of n. "
		"*: "
		"nearest to\nZ*, as far as these digits tell.\n");
	if (r->agreements_n)
		strbuf_adds(out, "error: the largest that is likely, the end of \"95 % of errors\" further "
				 "from 0. surely:\n"
				 "neither end is further out, at 95 % confidence each. validated: that is "
				 "within the margin;\n"
				 "rejected: one of them is beyond it, at the same confidence. See "
				 "swapcal-statistics(7).\n");
	if (has_small_n(r))
		strbuf_adds(out, "n is small: a range is what was seen, not what can be expected.\n");
}
