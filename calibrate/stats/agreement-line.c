/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Lines through points with errors in both coordinates: Deming's, plain and weighted, with intervals by the
 * jackknife (Linnet 1993, Clin. Chem. 39:424); and the slope of differences over means.
 */
#include "calibrate/stats/agreement-line.h"

#include <math.h>

#include "calibrate/stats/moments.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

/*
 * The weighted line is fitted anew without each group in turn. This many groups give its standard error to
 * 5 %; more would not be worth the time.
 */
#define GROUPS_MAX 200

/* A loop that has not ended by then swings between two lines, and neither fits its own weights. */
#define ITERATIONS_MAX 100
#define TOLERANCE      1e-11

struct fit {
	double slope, intercept;
};

static const struct fit fit_none = { NAN, NAN };

static const struct agreement_line line_none = { NAN, NAN, INTERVAL_NONE, INTERVAL_NONE };

static struct fit fit_moments(const struct line_moments *m, double ratio)
{
	double d = 1 / ratio, a = m->yy - d * m->zz, root = hypot(a, 2 * sqrt(d) * m->zy), slope;

	if (!(m->zz > 0))
		return fit_none;
	/* The root has two forms. This is the one that does not subtract. */
	if (a < 0)
		slope = 2 * d * m->zy / (root - a);
	else
		slope = (a + root) / (2 * m->zy);
	if (!isfinite(slope))
		return fit_none;
	return (struct fit){ slope, m->mean_y - slope * m->mean_z };
}

/*
 * The delete-a-group jackknife: without[g] is the fit without group g. With as many groups as points this is
 * Linnet's; n - 2 degrees of freedom as two numbers were fitted.
 */
static void set_line(struct agreement_line *line, struct fit fit, const struct fit *without, size_t groups)
{
	struct line_moments m = { 0 };
	double t = dist_t_quantile(0.975, (double)groups - 2), n = (double)groups;

	for (size_t g = 0; g < groups; g++)
		line_moments_add(&m, without[g].slope, without[g].intercept);

	double slope = t * sqrt((n - 1) / n * m.zz), intercept = t * sqrt((n - 1) / n * m.yy);

	*line = (struct agreement_line){
		.slope = fit.slope,
		.intercept = fit.intercept,
		.slope_ci = { fit.slope - slope, fit.slope + slope },
		.intercept_ci = { fit.intercept - intercept, fit.intercept + intercept },
	};
}

void deming_fit(const double *z, const double *y, size_t k, double ratio, struct agreement_line *ret)
{
	cleanup_free struct line_moments *before = xcalloc(k + 1, sizeof(*before));
	cleanup_free struct fit *without = xcalloc(k + 1, sizeof(*without));
	struct line_moments after = { 0 };

	/* The moments without a point are those before it and those after it. */
	for (size_t i = 0; i < k; i++) {
		before[i + 1] = before[i];
		line_moments_add(&before[i + 1], z[i], y[i]);
	}
	for (size_t i = k; i-- > 0;) {
		struct line_moments m = line_moments_merge(&before[i], &after);

		without[i] = fit_moments(&m, ratio);
		line_moments_add(&after, z[i], y[i]);
	}
	after = line_moments_of(z, y, k);
	set_line(ret, fit_moments(&after, ratio), without, k);
}

/* Points and what the weighted fit needs. */
struct weighted {
	const double *z, *y;
	double *weights;
	size_t k, groups;
	double ratio;
};

/*
 * The weight of a point is 1 / square of its true value, as far as the line tells: a mean of the two
 * coordinates of the point's foot on the line, as in Linnet 1993.
 */
static double weigh(const struct weighted *w, struct fit line, double z, double y)
{
	double off = y - line.intercept - line.slope * z;
	double scale = 1 + w->ratio * line.slope * line.slope;
	double true_z = z + w->ratio * line.slope * off / scale, true_y = y - off / scale;
	double value = (true_z + w->ratio * true_y) / (1 + w->ratio);

	/* The foot of an outlier may be near or below zero. It must not outweigh all else. */
	value = fmax(value, 0.1 * (z + w->ratio * y) / (1 + w->ratio));
	return 1 / (value * value);
}

/* The next line, without the points of a group (none: groups). */
static struct fit improve(const struct weighted *w, struct fit line, size_t group)
{
	struct line_moments m = { 0 };
	double sum_z = 0, sum_y = 0;

	for (size_t i = 0, g = 0; i < w->k; i++, g = g + 1 == w->groups ? 0 : g + 1) {
		w->weights[i] = g == group ? 0 : weigh(w, line, w->z[i], w->y[i]);
		m.n += w->weights[i];
		sum_z += w->weights[i] * (w->z[i] - w->z[0]);
		sum_y += w->weights[i] * (w->y[i] - w->y[0]);
	}
	m.mean_z = w->z[0] + sum_z / m.n;
	m.mean_y = w->y[0] + sum_y / m.n;
	for (size_t i = 0; i < w->k; i++) {
		double dz = w->z[i] - m.mean_z, dy = w->y[i] - m.mean_y;

		m.zz += w->weights[i] * dz * dz;
		m.yy += w->weights[i] * dy * dy;
		m.zy += w->weights[i] * dz * dy;
	}
	return fit_moments(&m, w->ratio);
}

static struct fit iterate(const struct weighted *w, struct fit line, size_t group)
{
	for (unsigned i = 0; i < ITERATIONS_MAX; i++) {
		struct fit next = improve(w, line, group);

		if (isnan(next.slope) || fabs(next.slope - line.slope) <= TOLERANCE * fabs(next.slope))
			return next;
		line = next;
	}
	return fit_none;
}

static bool are_positive(const double *z, const double *y, size_t k)
{
	for (size_t i = 0; i < k; i++)
		if (!(z[i] > 0 && y[i] > 0))
			return false;
	return true;
}

void deming_fit_weighted(const double *z, const double *y, size_t k, double ratio, struct agreement_line *ret)
{
	size_t groups = k < GROUPS_MAX ? k : GROUPS_MAX;
	cleanup_free double *weights = xcalloc(k + 1, sizeof(*weights));
	cleanup_free struct fit *without = xcalloc(groups + 1, sizeof(*without));
	struct weighted w = { z, y, weights, k, groups, ratio };
	struct line_moments m = line_moments_of(z, y, k);
	struct fit line = fit_moments(&m, ratio);

	*ret = line_none;
	if (isnan(line.slope) || !are_positive(z, y, k))
		return;
	line = iterate(&w, line, groups);
	for (size_t g = 0; g < groups; g++)
		without[g] = isnan(line.slope) ? fit_none : iterate(&w, line, g);
	set_line(ret, line, without, groups);
}

void proportional_fit(const double *z, const double *y, size_t k, double *slope, struct interval *ci)
{
	cleanup_free double *mean = xcalloc(k + 1, sizeof(*mean));
	cleanup_free double *diff = xcalloc(k + 1, sizeof(*diff));
	double squares = 0;

	for (size_t i = 0; i < k; i++) {
		mean[i] = (y[i] + z[i]) / 2;
		diff[i] = y[i] - z[i];
	}

	struct line_moments m = line_moments_of(mean, diff, k), own = line_moments_of(z, y, k);

	*slope = NAN;
	*ci = INTERVAL_NONE;
	/* Where one of the two is constant, the slope is 2 or -2 whatever the other does. */
	if (!(own.zz > 0 && own.yy > 0))
		return;
	*slope = m.zz > 0 ? m.zy / m.zz : (double)NAN;
	for (size_t i = 0; i < k; i++) {
		double off = diff[i] - m.mean_y - *slope * (mean[i] - m.mean_z);

		squares += off * off;
	}

	double df = (double)k - 2, half = dist_t_quantile(0.975, df) * sqrt(squares / df / m.zz);

	*ci = (struct interval){ *slope - half, *slope + half };
}
