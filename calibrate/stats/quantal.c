/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/stats/quantal.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "calibrate/stats/quantal-internal.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

static int by_dose(const void *a, const void *b)
{
	const struct quantal_point *p = a, *q = b;

	return (p->dose > q->dose) - (p->dose < q->dose);
}

static bool is_asked(const struct quantal_point *p)
{
	return isfinite(p->dose) && isfinite(p->n) && p->n > 0;
}

static void find_extent(struct quantal_data *d)
{
	d->yes_lo = d->yes_hi = d->no_lo = d->no_hi = (double)NAN;
	for (size_t i = 0; i < d->n; i++) {
		const struct quantal_point *p = &d->points[i];

		if (p->yes > 0) {
			d->yes_lo = isnan(d->yes_lo) ? p->dose : d->yes_lo;
			d->yes_hi = p->dose;
		}
		if (p->yes < p->n) {
			d->no_lo = isnan(d->no_lo) ? p->dose : d->no_lo;
			d->no_hi = p->dose;
		}
		d->n_sum += p->n;
	}
}

void quantal_data_init(struct quantal_data *d, const struct quantal_point *points, size_t n)
{
	size_t kept = 0, merged = 0;

	/* One more, so that there is something to allocate. */
	*d = (struct quantal_data){ .points = xcalloc(n + 1, sizeof(*points)) };
	for (size_t i = 0; i < n; i++) {
		if (!is_asked(&points[i]))
			continue;
		assert(points[i].yes >= 0 && points[i].yes <= points[i].n);
		d->points[kept++] = points[i];
	}
	qsort(d->points, kept, sizeof(*points), by_dose);
	for (size_t i = 0; i < kept; i++) {
		struct quantal_point *last = merged > 0 ? &d->points[merged - 1] : NULL;

		if (last && last->dose >= d->points[i].dose) {
			last->n += d->points[i].n;
			last->yes += d->points[i].yes;
		} else {
			d->points[merged++] = d->points[i];
		}
	}
	d->n = merged;
	find_extent(d);
}

void quantal_data_deinit(struct quantal_data *d)
{
	free(d->points);
	d->points = NULL;
}

enum quantal_separation quantal_data_separation(const struct quantal_data *d)
{
	if (isnan(d->yes_lo) || isnan(d->no_lo))
		return QUANTAL_ONE_SIDED;
	return d->yes_lo > d->no_hi ? QUANTAL_COMPLETE : QUANTAL_OVERLAP;
}

enum quantal_separation quantal_separation(const struct quantal_point *points, size_t n)
{
	struct quantal_data d cleanup_quantal_data;

	quantal_data_init(&d, points, n);
	return quantal_data_separation(&d);
}
