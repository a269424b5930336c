/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What this cannot show: that Z*(X) is a line. Curvature within the range of the points counts as scatter;
 * outside of it nothing is known, and prediction intervals there are too narrow when the curve bends. With
 * three or four points the scatter itself is a poor estimate, and Student's t makes up for only a part of
 * that.
 */
#include "calibrate/stats/curve.h"

#include <math.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

/* Steps of the bisection: they give more digits than any scatter has. */
#define HALVINGS 60

/* A line about the weighted mean of its points, where mean and slope are independent. */
struct line {
	double x_mean, z_mean, slope;
	double var_mean, var_slope;
	double rss; /* weighted squares of the residuals */
};

static double weight(const struct curve_point *p, double scatter)
{
	return 1 / (p->z_se_kib * p->z_se_kib + scatter * scatter);
}

static void fit_line(const struct curve_point *p, size_t n, double scatter, struct line *ret)
{
	struct line l = { 0 };
	double w = 0, xx = 0, xz = 0;

	for (size_t i = 0; i < n; i++) {
		w += weight(&p[i], scatter);
		l.x_mean += weight(&p[i], scatter) * p[i].x_mib;
		l.z_mean += weight(&p[i], scatter) * p[i].z_kib;
	}
	l.x_mean /= w;
	l.z_mean /= w;
	for (size_t i = 0; i < n; i++) {
		double dx = p[i].x_mib - l.x_mean;

		xx += weight(&p[i], scatter) * dx * dx;
		xz += weight(&p[i], scatter) * dx * (p[i].z_kib - l.z_mean);
	}
	l.slope = xz / xx;
	l.var_mean = 1 / w;
	l.var_slope = 1 / xx;
	for (size_t i = 0; i < n; i++) {
		double residual = p[i].z_kib - l.z_mean - l.slope * (p[i].x_mib - l.x_mean);

		l.rss += weight(&p[i], scatter) * residual * residual;
	}
	*ret = l;
}

/* The scatter that makes the weighted squares as large as expected. They fall as it grows. */
static double find_scatter(const struct curve_point *p, size_t n)
{
	double df = (double)n - 2, lo = 0, hi = 0;
	struct line l;

	fit_line(p, n, 0, &l);
	if (l.rss <= df)
		return 0;
	/*
	 * Whatever the uncertainties, a weight is below 1 / scatter^2. So with this scatter even this line,
	 * and the more so the best one, has no more squares than expected.
	 */
	for (size_t i = 0; i < n; i++)
		hi += pow(p[i].z_kib - l.z_mean - l.slope * (p[i].x_mib - l.x_mean), 2) / df;
	hi = sqrt(hi);
	for (int i = 0; i < HALVINGS; i++) {
		double middle = (lo + hi) / 2;

		fit_line(p, n, middle, &l);
		if (l.rss > df)
			lo = middle;
		else
			hi = middle;
	}
	return hi;
}

static double mean_available_ratio(const struct curve_point *p, size_t n)
{
	double sum = 0;
	size_t known = 0;

	for (size_t i = 0; i < n; i++) {
		if (!(p[i].available_kib > 0) || !isfinite(p[i].available_kib))
			continue;
		sum += p[i].z_kib / p[i].available_kib;
		known++;
	}
	return known > 0 ? sum / (double)known : (double)NAN;
}

static bool is_usable(const struct curve_point *p)
{
	return isfinite(p->x_mib) && isfinite(p->z_kib) && isfinite(p->z_se_kib) && p->z_se_kib > 0;
}

/* Sets what does not come from the fit: the range, and what is known of thresholds. */
static void describe(const struct curve_point *p, size_t n, struct curve *c)
{
	double square = 0;

	c->x_lo_mib = c->x_hi_mib = p[0].x_mib;
	for (size_t i = 0; i < n; i++) {
		c->x_lo_mib = fmin(c->x_lo_mib, p[i].x_mib);
		c->x_hi_mib = fmax(c->x_hi_mib, p[i].x_mib);
		square += p[i].z_se_kib * p[i].z_se_kib / (double)n;
	}
	c->z_se_kib = sqrt(square);
	c->available_ratio = mean_available_ratio(p, n);
}

static const struct curve none = {
	.intercept_kib = NAN,
	.slope_kib_per_mib = NAN,
	.intercept_se_kib = NAN,
	.slope_se = NAN,
	.covariance = NAN,
	.scatter_kib = NAN,
	.z_se_kib = NAN,
	.x_lo_mib = NAN,
	.x_hi_mib = NAN,
	.available_ratio = NAN,
};

void curve_fit(const struct curve_point *points, size_t n, struct curve *ret)
{
	struct curve_point *p cleanup_free = xcalloc(n + 1, sizeof(*p));
	struct curve c = none;
	struct line l;

	for (size_t i = 0; i < n; i++) {
		if (is_usable(&points[i]))
			p[c.n++] = points[i];
	}
	*ret = c;
	if (c.n == 0)
		return;
	describe(p, c.n, &c);
	if (c.x_lo_mib >= c.x_hi_mib)
		return;
	if (c.n > 2)
		c.scatter_kib = find_scatter(p, c.n);
	fit_line(p, c.n, c.n > 2 ? c.scatter_kib : 0, &l);
	c.slope_kib_per_mib = l.slope;
	c.intercept_kib = l.z_mean - l.slope * l.x_mean;
	c.slope_se = sqrt(l.var_slope);
	c.intercept_se_kib = sqrt(l.var_mean + l.x_mean * l.x_mean * l.var_slope);
	c.covariance = -l.x_mean * l.var_slope;
	*ret = c;
}

struct curve_prediction curve_predict(const struct curve *c, double x_mib)
{
	double var_line = c->intercept_se_kib * c->intercept_se_kib + 2 * x_mib * c->covariance +
			  x_mib * x_mib * c->slope_se * c->slope_se;
	/* With fewer than 3 points, the scatter and the quantile are NAN. */
	double half = dist_t_quantile(0.975, (double)c->n - 2) *
		      sqrt(var_line + c->scatter_kib * c->scatter_kib + c->z_se_kib * c->z_se_kib);
	double z = c->intercept_kib + c->slope_kib_per_mib * x_mib;

	return (struct curve_prediction){ z, { z - half, z + half } };
}
