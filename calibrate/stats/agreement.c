/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/stats/agreement-internal.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

static int compare_numbers(double a, double b)
{
	return (a > b) - (a < b);
}

static int compare_pairs(const void *a, const void *b)
{
	const struct agreement_pair *p = a, *q = b;
	int order = (p->cell > q->cell) - (p->cell < q->cell);

	if (!order)
		order = compare_numbers(p->z, q->z);
	return order ? order : compare_numbers(p->y, q->y);
}

/* Of the largest value: all values below 1 once divided by 2^this. */
static int largest_exponent(const struct agreement_pair *pairs, size_t n)
{
	double largest = 0;
	int exponent = 0;

	for (size_t i = 0; i < n; i++)
		largest = fmax(largest, fmax(fabs(pairs[i].z), fabs(pairs[i].y)));
	frexp(largest, &exponent);
	return exponent;
}

static void average_cells(struct agreement_data *d)
{
	for (size_t c = 0; c < d->k; c++) {
		size_t first = d->start[c], n = d->start[c + 1] - first;

		d->cell_z[c] = agreement_mean(d->z + first, n);
		d->cell_y[c] = agreement_mean(d->y + first, n);
	}
}

void agreement_data_init(struct agreement_data *d, const struct agreement_pair *pairs, size_t n)
{
	cleanup_free struct agreement_pair *sorted = xcalloc(n + 1, sizeof(*sorted));

	*d = (struct agreement_data){ .n = n };
	d->z = xcalloc(n + 1, sizeof(*d->z));
	d->y = xcalloc(n + 1, sizeof(*d->y));
	d->start = xcalloc(n + 1, sizeof(*d->start));
	d->cell_z = xcalloc(n + 1, sizeof(*d->cell_z));
	d->cell_y = xcalloc(n + 1, sizeof(*d->cell_y));
	d->exponent = largest_exponent(pairs, n);
	for (size_t i = 0; i < n; i++)
		sorted[i] = pairs[i];
	qsort(sorted, n, sizeof(*sorted), compare_pairs);
	for (size_t i = 0; i < n; i++) {
		assert(isfinite(sorted[i].z) && isfinite(sorted[i].y));
		d->z[i] = ldexp(sorted[i].z, -d->exponent);
		d->y[i] = ldexp(sorted[i].y, -d->exponent);
		if (i == 0 || sorted[i].cell != sorted[i - 1].cell)
			d->start[d->k++] = i;
	}
	d->start[d->k] = n;
	average_cells(d);
}

void agreement_data_deinit(struct agreement_data *d)
{
	free(d->z);
	free(d->y);
	free(d->start);
	free(d->cell_z);
	free(d->cell_y);
}

static void scale(double *x, int exponent)
{
	*x = ldexp(*x, exponent);
}

static void scale_interval(struct interval *i, int exponent)
{
	scale(&i->lo, exponent);
	scale(&i->hi, exponent);
}

/* Back to the unit of the pairs. */
static void scale_limits(struct agreement_limits *l, int exponent)
{
	scale(&l->bias, exponent);
	scale_interval(&l->bias_ci, exponent);
	scale(&l->sd, exponent);
	scale(&l->sd_between, exponent);
	scale(&l->sd_within, exponent);
	scale_interval(&l->loa, exponent);
	scale_interval(&l->loa_lo_ci, exponent);
	scale_interval(&l->loa_hi_ci, exponent);
	scale_interval(&l->outer, exponent);
	scale_interval(&l->inner, exponent);
}

static void scale_line(struct agreement_line *l, int exponent)
{
	scale(&l->intercept, exponent);
	scale_interval(&l->intercept_ci, exponent);
}

static void compare_absolute(const struct agreement_data *d, const struct agreement_params *params,
			     struct agreement *ret)
{
	cleanup_free double *diff = xcalloc(d->n + 1, sizeof(*diff));
	struct limits_moments m;

	for (size_t i = 0; i < d->n; i++)
		diff[i] = d->y[i] - d->z[i];
	limits_moments_init(&m, diff, d->start, d->k, 0);
	limits_compute(&m, params->confidence, &ret->abs);
	scale_limits(&ret->abs, d->exponent);
}

/* NULL, or why there are no percents. */
static const char *percents(const struct agreement_data *d, double *pct)
{
	for (size_t i = 0; i < d->n; i++) {
		if (!(d->z[i] > 0))
			return "percents need z above 0";
		pct[i] = 100 * (d->y[i] - d->z[i]) / d->z[i];
		/* Fourth powers of such percents, and sums of them, are no numbers any more. */
		if (!(fabs(pct[i]) < 1e60))
			return "percents are too large";
	}
	return NULL;
}

static void compare_percents(const struct agreement_data *d, const struct agreement_params *params,
			     struct agreement *ret)
{
	cleanup_free double *pct = xcalloc(d->n + 1, sizeof(*pct));
	const char *why_none = percents(d, pct);
	struct limits_moments m;

	ret->tost_p = NAN;
	ret->verdict = AGREEMENT_UNDECIDED;
	ret->verdict_reason = d->k < 2 ? "too few cells" : why_none;
	/* Without percents the moments of nothing, so that all is NAN. */
	limits_moments_init(&m, pct, d->start, why_none ? 0 : d->k, params->z_uncertainty_pct);
	limits_compute(&m, params->confidence, &ret->pct);
	if (why_none || d->k < 2)
		return;
	ret->tost_p = limits_tost_p(&m, params->margin_pct);
	ret->verdict = limits_verdict(&ret->pct, params->margin_pct);
	ret->verdict_reason = "";
	if (ret->verdict != AGREEMENT_UNDECIDED)
		return;
	ret->cells_needed = limits_cells_needed(&m, params);
	ret->verdict_reason = ret->cells_needed ? "more cells would tell" : "no number of cells would tell";
}

static void compare_lines(const struct agreement_data *d, struct agreement *ret)
{
	double ratio = error_ratio_estimate(d);
	struct passing_bablok pb;

	proportional_fit(d->cell_z, d->cell_y, d->k, &ret->proportional_slope, &ret->proportional_ci);
	ret->has_error_ratio = !isnan(ratio);
	ret->error_ratio = ret->has_error_ratio ? ratio : 1;
	deming_fit(d->cell_z, d->cell_y, d->k, ret->error_ratio, &ret->deming);
	deming_fit_weighted(d->cell_z, d->cell_y, d->k, ret->error_ratio, &ret->weighted_deming);
	passing_bablok_fit(d->cell_z, d->cell_y, d->k, PB_ENUMERATE_MAX, &pb);
	ret->passing_bablok = pb.line;
	ret->is_pb_enumerated = pb.is_enumerated;
	ret->linearity_p = pb.linearity_p;
	scale_line(&ret->deming, d->exponent);
	scale_line(&ret->weighted_deming, d->exponent);
	scale_line(&ret->passing_bablok, d->exponent);
}

void agreement_compare(const struct agreement_pair *pairs, size_t n, const struct agreement_params *params,
		       struct agreement *ret)
{
	cleanup(agreement_data_deinit) struct agreement_data d;

	assert(params->margin_pct > 0 && params->z_uncertainty_pct >= 0);
	assert(params->confidence > 0.5 && params->confidence < 1);
	agreement_data_init(&d, pairs, n);
	*ret = (struct agreement){ .n = d.n, .cells = d.k, .replicates_mean = NAN };
	if (d.k)
		ret->replicates_mean = (double)d.n / (double)d.k;
	compare_absolute(&d, params, ret);
	compare_percents(&d, params, ret);
	compare_lines(&d, ret);
	ccc_compute(&d, &ret->ccc, &ret->ccc_ci);
}
