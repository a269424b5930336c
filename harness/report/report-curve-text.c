/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "harness/base/format.h"
#include "harness/campaign/campaign.h"
#include "harness/cell/cell-format.h"
#include "harness/cell/cell.h"
#include "harness/report/report.h"
#include "harness/report/table.h"

/* Z*(X) for a person, after the thresholds it was made from. */

/* A slope counts per MiB of X: the third decimal is a MiB in a guest of a GiB. */
#define SLOPE_DECIMALS 3

/* "Z* = 0.885 X - 41.3" */
static void add_line(struct strbuf *out, const struct curve *c)
{
	char slope[32];

	strbuf_addf(out, "Z* = %s X %c ", format_fixed(slope, c->slope_kib_per_mib / 1024, SLOPE_DECIMALS),
		    c->intercept_kib < 0 ? '-' : '+');
	table_mib(out, 0, fabs(c->intercept_kib));
}

static void add_head(struct strbuf *out, const struct curve *c)
{
	char ratio[32];

	strbuf_adds(out, "  ");
	add_line(out, c);
	strbuf_addf(out, ", from %zu sizes, X = %.0f to %.0f", c->n, c->x_lo_mib, c->x_hi_mib);
	if (*format_fixed(ratio, c->available_ratio, SLOPE_DECIMALS))
		strbuf_addf(out, "; mean of Z* / MemAvailable %s", ratio);
	if (isfinite(c->scatter_kib)) {
		strbuf_adds(out, "\n  scatter around the line, beyond what each Z* is uncertain by: ");
		table_mib(out, 0, c->scatter_kib);
		strbuf_adds(out, "\n");
	} else {
		strbuf_adds(out, "\n  There are only two points, through which any line goes: the scatter "
				 "is not known, and so there\n  is no prediction interval.\n");
	}
}

static void add_points(struct strbuf *out, const struct report_curve *c)
{
	strbuf_adds(out, "\n      X       Z*  Z* - line\n");
	for (size_t i = 0; i < c->n; i++) {
		strbuf_addf(out, "%7u", cell_uint(c->points[i]->cell, "x_mib"));
		table_mib(out, 9, c->points[i]->z_kib);
		table_number(out, 11, report_curve_residual_kib(c, i) / 1024, "+", "");
		strbuf_adds(out, "\n");
	}
}

static void add_predictions(struct strbuf *out, const struct report_curve *c)
{
	bool is_any_extrapolated = false;

	if (!c->predictions_n)
		return;
	strbuf_adds(out, "\n      X       Z*  95 % prediction interval\n");
	for (size_t i = 0; i < c->predictions_n; i++) {
		const struct report_prediction *p = &c->predictions[i];

		strbuf_addf(out, "%7u", p->x_mib);
		table_mib(out, 9, p->at.z_kib);
		strbuf_adds(out, "  ");
		table_range_mib(out, 24, p->at.z_pi_kib.lo, p->at.z_pi_kib.hi);
		table_end_line(out, p->is_extrapolated ? "extrapolated" : "");
		is_any_extrapolated |= p->is_extrapolated;
	}
	if (is_any_extrapolated)
		strbuf_adds(out, "\n  extrapolated: no guest as small, or as large, was measured; right only "
				 "if Z* goes on as a line.\n");
}

void report_curves_text(const struct report *r, struct strbuf *out)
{
	for (size_t i = 0; i < r->curves_n; i++) {
		const struct report_curve *c = &r->curves[i];
		cleanup_strbuf struct strbuf varying = STRBUF_INIT;

		if (i == 0)
			strbuf_adds(out, "\nZ* as a function of X, in MiB\n");
		strbuf_adds(out, "\n");
		format_varying(&varying, c->points[0]->cell, r->cells, r->cells_n);
		if (varying.len)
			strbuf_addf(out, "  %s:\n", varying.data + strlen(", "));
		add_head(out, &c->fit);
		add_points(out, c);
		add_predictions(out, c);
	}
}
