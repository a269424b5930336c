/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Lin 1989, Biometrics 45:255, and the correction of its variance, 2000, Biometrics 56:324. Denominators are
 * n, as in R's epiR. How near it is to 1 depends on how wide the values are spread: two of them compare only
 * on the same cells.
 */
#include "calibrate/agreement-internal.h"

#include <gsl/gsl_rng.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

/* Usual for ends of an interval. Fewer for very many cells, whose interval is narrow anyway. */
#define RESAMPLES_MAX 2000
#define RESAMPLES_MIN 200
#define WORK_MAX      2e7

DEFINE_CLEANUP(cleanup_rng, gsl_rng *, gsl_rng_free)

static double ccc_of(const struct line_moments *m)
{
	double shift = m->mean_z - m->mean_y, spread = m->zz + m->yy + m->n * shift * shift;

	return spread > 0 ? 2 * m->zy / spread : (double)NAN;
}

/*
 * Lin's variance of Fisher's z, written with C_b = ccc / r and u^2 C_b, which are defined where r is 0. n - 2
 * as in Lin's paper.
 */
static struct interval transform_interval(const struct line_moments *m, double ccc)
{
	double sz = sqrt(m->zz / m->n), sy = sqrt(m->yy / m->n), shift = m->mean_z - m->mean_y;
	double spread = sz * sz + sy * sy + shift * shift;
	double r = m->zy / sqrt(m->zz) / sqrt(m->yy), cb = 2 * sz * sy / spread;
	double u2 = shift * shift / (sz * sy), u2_cb = 2 * shift * shift / spread, p2 = ccc * ccc;

	if (fabs(ccc) >= 1)
		return (struct interval){ ccc, ccc };

	double variance =
		(1 - r * r) * cb * cb * (1 - p2) + 2 * p2 * (1 - ccc) * u2_cb - p2 * u2_cb * u2 * cb / 2;
	double half = dist_normal_quantile(0.975) * sqrt(fmax(0, variance) / (m->n - 2)) / (1 - p2);

	return (struct interval){ tanh(atanh(ccc) - half), tanh(atanh(ccc) + half) };
}

static double resample(const struct line_moments *cells, size_t k, gsl_rng *rng)
{
	struct line_moments m = { 0 };

	for (size_t i = 0; i < k; i++)
		m = line_moments_merge(&m, &cells[gsl_rng_uniform_int(rng, k)]);
	return ccc_of(&m);
}

/* Percentiles of whole cells drawn with replacement. They are the same on Fisher's scale, which keeps order.
 */
static struct interval bootstrap_interval(const struct agreement_data *d, uint64_t seed)
{
	double wanted = fmin(RESAMPLES_MAX, fmax(RESAMPLES_MIN, WORK_MAX / (double)d->k));
	cleanup_free struct line_moments *cells = xcalloc(d->k, sizeof(*cells));
	cleanup_free double *found = xcalloc((size_t)wanted, sizeof(*found));
	cleanup(cleanup_rng_) gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	size_t n = 0;

	gsl_rng_set(rng, seed);
	for (size_t c = 0; c < d->k; c++) {
		size_t first = d->start[c];

		cells[c] = line_moments_of(d->z + first, d->y + first, d->start[c + 1] - first);
	}
	for (size_t i = 0; i < (size_t)wanted; i++) {
		found[n] = resample(cells, d->k, rng);
		n += isfinite(found[n]);
	}
	if (n == 0)
		return INTERVAL_NONE;
	gsl_sort(found, 1, n);
	return (struct interval){ gsl_stats_quantile_from_sorted_data(found, 1, n, 0.025),
				  gsl_stats_quantile_from_sorted_data(found, 1, n, 0.975) };
}

void ccc_compute(const struct agreement_data *d, uint64_t seed, double *ccc, struct interval *ci)
{
	struct line_moments m = line_moments_of(d->z, d->y, d->n);

	*ccc = ccc_of(&m);
	*ci = INTERVAL_NONE;
	if (isnan(*ccc) || d->k < 2)
		return;
	if (d->n > d->k)
		*ci = bootstrap_interval(d, seed);
	else if (d->n > 2)
		*ci = transform_interval(&m, *ccc);
}
