/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/report/validate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/campaign/campaign.h"
#include "harness/cell/cell.h"

/* How far Y is from the interval of Z, in KiB; 0 inside, NAN when one of them is not known. */
static double distance_kib(const struct report_row *row)
{
	if (!isfinite(row->y_kib) || !isfinite(row->z_lo_kib) || !isfinite(row->z_hi_kib))
		return NAN;
	return fmax(0, fmax(row->z_lo_kib - row->y_kib, row->y_kib - row->z_hi_kib));
}

static bool is_within(const struct report_row *row, double margin_pct)
{
	/* Of a load that weighs next to nothing z_lo is below 0. */
	double lo = row->z_lo_kib - fabs(row->z_lo_kib) * margin_pct / 100;
	double hi = row->z_hi_kib + fabs(row->z_hi_kib) * margin_pct / 100;

	return isfinite(row->y_kib) && row->y_kib >= lo && row->y_kib <= hi;
}

/* Is the metric on trial here? */
static bool is_judged(const struct report_row *row)
{
	struct known_spec known;

	return isfinite(row->z_kib) && isfinite(row->z_lo_kib) && isfinite(row->z_hi_kib) &&
	       (report_is_compared(row) || cell_known(row->cell, &known));
}

/* Of the guest's Z*: a load that weighs nothing has no size of its own to compare with. */
static double distance_pct(const struct report_row *row)
{
	double pct = row->threshold ? 100 * distance_kib(row) / row->threshold->z_kib : (double)NAN;

	/* Z* itself may not be known yet; NaN would have no place in an order. */
	return isnan(pct) ? (double)INFINITY : pct;
}

/* One shipped metric over all cells that are judged. */
struct score {
	size_t valued, within;
	double worst_pct;
};

/* A report's rows go cell by cell, each with all metrics in their order. */
static struct score score_of(const struct report *r, size_t metric, size_t metrics_n, double margin_pct)
{
	struct score s = { 0 };

	for (size_t i = metric; i < r->rows_n; i += metrics_n) {
		const struct report_row *row = &r->rows[i];

		if (!is_judged(row) || !isfinite(row->y_kib))
			continue;
		s.valued++;
		s.within += is_within(row, margin_pct);
		s.worst_pct = fmax(s.worst_pct, distance_pct(row));
	}
	return s;
}

/* Right in more cells, then with a value in more of them, then less wrong at worst. */
static bool is_better(const struct score *a, const struct score *b)
{
	if (a->within != b->within)
		return a->within > b->within;
	if (a->valued != b->valued)
		return a->valued > b->valued;
	return a->worst_pct < b->worst_pct;
}

/* The best of the metrics before the last; metrics_n - 1 when none has a value. */
static size_t find_best(const struct report *r, size_t metrics_n, double margin_pct, struct score *ret)
{
	size_t best = metrics_n - 1;
	struct score best_score = { 0 };

	for (size_t i = 0; i + 1 < metrics_n; i++) {
		struct score s = score_of(r, i, metrics_n, margin_pct);

		if (!s.valued || (best < metrics_n - 1 && !is_better(&s, &best_score)))
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
	if (v->agreement)
		return v->agreement->agreement.verdict;
	return v->known ? AGREEMENT_VALIDATED : AGREEMENT_UNDECIDED;
}

void validate_judge(const struct report *r, const struct metric *metrics, size_t metrics_n,
		    struct validation *ret)
{
	struct score score;
	size_t best = find_best(r, metrics_n, r->margin_pct, &score);
	struct validation v = {
		.metric = &metrics[metrics_n - 1],
		.best = best < metrics_n - 1 ? &metrics[best] : NULL,
		.best_within = score.within,
		.margin_pct = r->margin_pct,
		.cells = xcalloc(r->cells_n, sizeof(*v.cells)),
	};

	for (size_t i = 0; i + metrics_n <= r->rows_n; i += metrics_n)
		if (is_judged(&r->rows[i + metrics_n - 1]))
			judge_cell(&v, &r->rows[i + metrics_n - 1], v.best ? &r->rows[i + best] : NULL);
	if (v.cells_n)
		qsort(v.cells, v.cells_n, sizeof(*v.cells), by_distance);
	for (size_t i = 0; i < r->agreements_n; i++)
		/* Not by its text: a shipped metric may have the same name. */
		if (r->agreements[i].metric == v.metric->name)
			v.agreement = &r->agreements[i];
	v.verdict = verdict_of(&v);
	*ret = v;
}

void validation_deinit(struct validation *v)
{
	free(v->cells);
	*v = (struct validation){ 0 };
}
