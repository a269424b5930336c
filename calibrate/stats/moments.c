/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/stats/moments.h"

double mean_of(const double *x, size_t n)
{
	double sum = 0;

	/* Differences from the first value are summed, since a large common part would cost digits. */
	for (size_t i = 1; i < n; i++)
		sum += x[i] - x[0];
	return x[0] + sum / (double)n;
}

void line_moments_add(struct line_moments *m, double z, double y)
{
	double dz = z - m->mean_z, dy = y - m->mean_y;

	m->n++;
	m->mean_z += dz / m->n;
	m->mean_y += dy / m->n;
	m->zz += dz * (z - m->mean_z);
	m->yy += dy * (y - m->mean_y);
	m->zy += dz * (y - m->mean_y);
}

/* Chan, Golub & LeVeque 1983: pairwise, without subtracting large sums from each other. */
struct line_moments line_moments_merge(const struct line_moments *a, const struct line_moments *b)
{
	double n = a->n + b->n, dz = b->mean_z - a->mean_z, dy = b->mean_y - a->mean_y;
	double share = n > 0 ? b->n / n : 0;

	return (struct line_moments){
		.n = n,
		.mean_z = a->mean_z + dz * share,
		.mean_y = a->mean_y + dy * share,
		.zz = a->zz + b->zz + dz * dz * a->n * share,
		.yy = a->yy + b->yy + dy * dy * a->n * share,
		.zy = a->zy + b->zy + dz * dy * a->n * share,
	};
}

struct line_moments line_moments_of(const double *z, const double *y, size_t n)
{
	struct line_moments m = { .n = (double)n };

	if (n == 0)
		return m;
	m.mean_z = mean_of(z, n);
	m.mean_y = mean_of(y, n);
	for (size_t i = 0; i < n; i++) {
		double dz = z[i] - m.mean_z, dy = y[i] - m.mean_y;

		m.zz += dz * dz;
		m.yy += dy * dy;
		m.zy += dz * dy;
	}
	return m;
}
