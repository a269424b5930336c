/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/cell/cell-format.h"
#include "harness/report/report-parts.h"

/*
 * Z* as a function of X: a line through the thresholds of guests that differ in nothing else, where there are
 * at least two. What this cannot show, and what the fit is, stands in calibrate/stats/curve.c.
 */

/* Where a search is open or found no threshold, what the others found is not all there is; flags say so. */
static bool is_usable(const struct report_threshold *t)
{
	return t->cell->x_mib > 0 && isfinite(t->z_kib) && isfinite(t->estimate.se_kib) &&
	       t->estimate.se_kib > 0 && !flags_have(t->flags, "no-threshold") &&
	       !flags_have(t->flags, "z-open");
}

/* The identity of a cell without its X: a new reference. */
static json_t *family_of(const struct cell *cell)
{
	json_t *family = json_copy(cell->identity);

	json_object_del(family, "x_mib");
	return family;
}

static int by_x(const void *a, const void *b)
{
	const struct report_threshold *const *s = a, *const *t = b;
	unsigned x = (*s)->cell->x_mib, y = (*t)->cell->x_mib;

	return (x > y) - (x < y);
}

static void fit(struct report_curve *c)
{
	cleanup_free struct curve_point *points = xcalloc(c->n, sizeof(*points));

	qsort(c->points, c->n, sizeof(*c->points), by_x);
	for (size_t i = 0; i < c->n; i++) {
		const struct report_threshold *t = c->points[i];

		points[i] = (struct curve_point){
			.x_mib = t->cell->x_mib,
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

/* Makes a curve of the first threshold that is left and of its family, and takes them off the list. */
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

/* Z* of the point less that of the line. */
static double residual_kib(const struct report_curve *c, size_t i)
{
	const struct report_threshold *t = c->points[i];

	return t->z_kib - curve_predict(&c->fit, t->cell->x_mib).z_kib;
}

/* A line may go below 0, a ballast cannot. NAN stays NAN. */
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
			"no Z* can be predicted: that needs thresholds of guests of at least two sizes, alike in all else, and the file has %zu of %zu that can be used; give `ram_mib` of the plan more sizes and run it again",
			usable, r->thresholds_n);
	for (size_t i = 0; i < r->curves_n; i++)
		predict(&r->curves[i], x_mib, n);
	return NULL;
}

/* Z*(X) for a person, after the thresholds it was made from. */

/* A slope counts per MiB of X: the third decimal is a MiB in a guest of a GiB. */
#define SLOPE_DECIMALS 3

/* "Z* = 0.885 X - 41.3" */
static void add_line(struct strbuf *out, const struct curve *c)
{
	char slope[32];

	strbuf_addf(out, "Z* = %s X %c %s", format_fixed(slope, c->slope_kib_per_mib / 1024, SLOPE_DECIMALS),
		    c->intercept_kib < 0 ? '-' : '+', MIB_TEXT(fabs(c->intercept_kib)));
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
		strbuf_addf(out, "\n  scatter around the line, beyond what each Z* is uncertain by: %s\n",
			    MIB_TEXT(c->scatter_kib));
	} else {
		strbuf_adds(
			out,
			"\n  There are only two points, through which any line goes: the scatter is not known, and so there\n"
			"  is no prediction interval.\n");
	}
}

static void add_points(struct strbuf *out, const struct report_curve *c)
{
	strbuf_adds(out, "\n      X       Z*  Z* - line\n");
	for (size_t i = 0; i < c->n; i++) {
		strbuf_addf(out, "%7u%9s%11s\n", c->points[i]->cell->x_mib, MIB_TEXT(c->points[i]->z_kib),
			    NUMBER_TEXT(residual_kib(c, i) / 1024, "+", ""));
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

		strbuf_addf(out, "%7u%9s  %-24s", p->x_mib, MIB_TEXT(p->at.z_kib),
			    MIB_RANGE_TEXT(p->at.z_pi_kib.lo, p->at.z_pi_kib.hi));
		table_end_line(out, p->is_extrapolated ? "extrapolated" : "");
		is_any_extrapolated |= p->is_extrapolated;
	}
	if (is_any_extrapolated)
		strbuf_adds(
			out,
			"\n  extrapolated: no guest as small, or as large, was measured; right only if Z* goes on as a line.\n");
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

/* What distinguishes the guests of a curve from those of others. */
static json_t *varying_json(const struct report *r, const struct cell *cell)
{
	json_t *object = json_object();
	const struct cell_trait *trait;

	for (size_t i = 0; (trait = cell_trait_at(i)); i++)
		if (!format_is_shared(r->cells, r->cells_n, trait))
			json_object_set(object, trait->name, json_object_get(cell->identity, trait->name));
	return object;
}

static json_t *point_json(const struct report_curve *c, size_t i)
{
	const struct report_threshold *t = c->points[i];
	json_t *object = json_object();

	json_object_set_new(object, "cell", members_cell_id(t->cell));
	json_object_set_new(object, "x_mib", json_integer(t->cell->x_mib));
	members_set_mib(object, "z_mib", t->z_kib);
	members_set_mib(object, "residual_mib", residual_kib(c, i));
	return object;
}

static json_t *prediction_json(const struct report_prediction *p)
{
	json_t *object = json_object();

	json_object_set_new(object, "x_mib", json_integer(p->x_mib));
	members_set_mib(object, "z_mib", p->at.z_kib);
	members_set_mib(object, "z_pi_lo_mib", p->at.z_pi_kib.lo);
	members_set_mib(object, "z_pi_hi_mib", p->at.z_pi_kib.hi);
	json_object_set_new(object, "is_extrapolated", json_boolean(p->is_extrapolated));
	return object;
}

static json_t *curve_json(const struct report *r, size_t n)
{
	const struct report_curve *c = &r->curves[n];
	json_t *object = json_object(), *points = json_array(), *predictions = json_array();

	for (size_t i = 0; i < c->n; i++)
		json_array_append_new(points, point_json(c, i));
	for (size_t i = 0; i < c->predictions_n; i++)
		json_array_append_new(predictions, prediction_json(&c->predictions[i]));
	json_object_set_new(object, "settings", varying_json(r, c->points[0]->cell));
	json_object_set_new(object, "n", json_integer((json_int_t)c->fit.n));
	/* With three decimals the error would be MiB after multiplying by X. */
	json_object_set_new(object, "slope", format_json_number(c->fit.slope_kib_per_mib / 1024));
	members_set_mib(object, "intercept_mib", c->fit.intercept_kib);
	members_set_mib(object, "scatter_mib", c->fit.scatter_kib);
	json_object_set_new(object, "x_lo_mib", format_json_fixed(c->fit.x_lo_mib, 0));
	json_object_set_new(object, "x_hi_mib", format_json_fixed(c->fit.x_hi_mib, 0));
	json_object_set_new(object, "available_ratio", format_json_fixed(c->fit.available_ratio, 3));
	json_object_set_new(object, "points", points);
	json_object_set_new(object, "predictions", predictions);
	return object;
}

json_t *report_curves_json(const struct report *r)
{
	return members_array(r, r->curves_n, curve_json);
}
