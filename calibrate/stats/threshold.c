/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/stats/threshold.h"

#include <gsl/gsl_rng.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

/* Do both intervals exist, and have they nothing in common? */
static bool is_apart(struct interval a, struct interval b)
{
	return a.hi < b.lo || a.lo > b.hi;
}

void threshold_check(const struct search_probe *probes, size_t n, const struct search_estimate *estimate,
		     uint64_t seed, struct threshold_check *ret)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
	cleanup_free struct quantal_point *points = xcalloc(n, sizeof(*points));
	size_t points_n = 0;

	for (size_t i = 0; i < n; i++)
		if (!probes[i].is_ramp)
			points[points_n++] = (struct quantal_point){ .dose = (double)probes[i].z_kib,
								     .n = 1,
								     .yes = probes[i].swapped };
	gsl_rng_set(rng, seed);
	ret->separation = quantal_separation(points, points_n);
	quantal_fit_logistic(points, points_n, &ret->logistic);
	quantal_fit_isotonic(points, points_n, rng, &ret->isotonic);
	gsl_rng_free(rng);
	ret->is_contrary = is_apart(ret->logistic.profile, estimate->ci_kib) ||
			   is_apart(ret->isotonic.ci, estimate->ci_kib);
}

struct threshold_ramps threshold_ramps(const double *onset_kib, size_t n, double step_kib)
{
	struct threshold_ramps r = { .sd_kib = NAN,
				     .within_boot_kib = step_kib / sqrt(12),
				     .between_boots_kib = NAN };

	if (n < 2)
		return r;
	r.sd_kib = gsl_stats_sd(onset_kib, 1, n);
	r.between_boots_kib = sqrt(fmax(0, r.sd_kib * r.sd_kib - r.within_boot_kib * r.within_boot_kib));
	return r;
}
