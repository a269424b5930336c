/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/stats/curve.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/campaign/campaign.h"
#include "harness/cell/cell.h"
#include "harness/report/report.h"

/*
 * Z* as a function of X: a line through the thresholds of guests that differ in nothing else, where there are
 * at least two. What this cannot show, and what the fit is, stands in calibrate/stats/curve.c.
 */

/* Flags say of searches that are open, or found none, that what the others found is not all there is. */
static bool is_usable(const struct report_threshold *t)
{
	return cell_uint(t->cell, "x_mib") > 0 && isfinite(t->z_kib) && isfinite(t->estimate.se_kib) &&
	       t->estimate.se_kib > 0 && !strstr(t->flags, "no-threshold") && !strstr(t->flags, "z-open");
}

/* Everything that makes a cell but its X: a new reference. */
static json_t *family_of(const struct cell *cell)
{
	json_t *family = json_copy(cell->identity);

	json_object_del(family, "x_mib");
	return family;
}

static int by_x(const void *a, const void *b)
{
	const struct report_threshold *const *s = a, *const *t = b;
	unsigned x = cell_uint((*s)->cell, "x_mib"), y = cell_uint((*t)->cell, "x_mib");

	return (x > y) - (x < y);
}

static void fit(struct report_curve *c)
{
	cleanup_free struct curve_point *points = xcalloc(c->n, sizeof(*points));

	qsort(c->points, c->n, sizeof(*c->points), by_x);
	for (size_t i = 0; i < c->n; i++) {
		const struct report_threshold *t = c->points[i];

		points[i] = (struct curve_point){
			.x_mib = cell_uint(t->cell, "x_mib"),
			.z_kib = t->z_kib,
			.z_se_kib = t->estimate.se_kib,
			.available_kib = t->mem_available0_kib,
		};
	}
	curve_fit(points, c->n, &c->fit);
}

static void curve_deinit(struct report_curve *c)
{
	free(c->points);
	free(c->predictions);
}

/* The curve through the first of the thresholds that are left and all of its family, which are then done. */
static void take_family(const struct report *r, json_t **left, size_t first, struct report_curve *ret)
{
	json_t *family = json_incref(left[first]);

	*ret = (struct report_curve){ .points = xcalloc(r->thresholds_n, sizeof(*ret->points)) };
	for (size_t i = first; i < r->thresholds_n; i++) {
		if (!left[i] || !json_equal(left[i], family))
			continue;
		ret->points[ret->n++] = &r->thresholds[i];
		json_decref(left[i]);
		left[i] = NULL;
	}
	json_decref(family);
	fit(ret);
}

void report_curves_compute(struct report *r)
{
	cleanup_free json_t **left = xcalloc(r->thresholds_n, sizeof(*left));

	for (size_t i = 0; i < r->thresholds_n; i++)
		if (is_usable(&r->thresholds[i]))
			left[i] = family_of(r->thresholds[i].cell);
	r->curves = xcalloc(r->thresholds_n, sizeof(*r->curves));
	for (size_t i = 0; i < r->thresholds_n; i++) {
		struct report_curve *c = &r->curves[r->curves_n];

		if (!left[i])
			continue;
		take_family(r, left, i, c);
		if (isfinite(c->fit.slope_kib_per_mib))
			r->curves_n++;
		else
			curve_deinit(c);
	}
}

void report_curves_free(struct report *r)
{
	for (size_t i = 0; i < r->curves_n; i++)
		curve_deinit(&r->curves[i]);
	free(r->curves);
}

double report_curve_residual_kib(const struct report_curve *c, size_t i)
{
	const struct report_threshold *t = c->points[i];

	return t->z_kib - curve_predict(&c->fit, cell_uint(t->cell, "x_mib")).z_kib;
}

/* A line may go below 0, a ballast cannot; what is not known stays so. */
static double not_below_0(double kib)
{
	return kib < 0 ? 0 : kib;
}

static void predict(struct report_curve *c, const unsigned *x_mib, size_t n)
{
	free(c->predictions);
	c->predictions = xcalloc(n, sizeof(*c->predictions));
	c->predictions_n = n;
	for (size_t i = 0; i < n; i++) {
		struct report_prediction *p = &c->predictions[i];
		struct curve_prediction at = curve_predict(&c->fit, x_mib[i]);

		p->x_mib = x_mib[i];
		p->at.z_kib = not_below_0(at.z_kib);
		p->at.z_pi_kib =
			(struct interval){ not_below_0(at.z_pi_kib.lo), not_below_0(at.z_pi_kib.hi) };
		p->is_extrapolated = x_mib[i] < c->fit.x_lo_mib || x_mib[i] > c->fit.x_hi_mib;
	}
}

struct err *report_predict(struct report *r, const unsigned *x_mib, size_t n)
{
	size_t usable = 0;

	for (size_t i = 0; i < r->thresholds_n; i++)
		usable += is_usable(&r->thresholds[i]);
	if (!r->curves_n)
		return err_new(
			"no Z* can be predicted: that needs thresholds of guests of at least two sizes, "
			"alike in all else, and the file has %zu of %zu that can be used; give "
			"`ram_mib` of the plan more sizes and run it again",
			usable, r->thresholds_n);
	for (size_t i = 0; i < r->curves_n; i++)
		predict(&r->curves[i], x_mib, n);
	return NULL;
}
