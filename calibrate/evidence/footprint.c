/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/footprint.h"

#include <math.h>

/*
 * memory.current includes pages of files that the load was the first to read, so it is what the kernel
 * charges the load with and not what the load needs. It is the one number that comes with every sample.
 */

struct footprint footprint_of(const struct proto_sample *s, size_t n, uint64_t end_us)
{
	size_t first = 0, i;
	double area = 0, max_kib = 0;

	while (first < n && s[first].load_kib == 0)
		first++;
	if (first == n || s[first].t_us > end_us || s[first].load_pages)
		return (struct footprint){ NAN, NAN, NAN };
	for (i = first; i < n && s[i].t_us <= end_us && !s[i].load_pages; i++) {
		/* No guest makes a series whose time goes back. */
		if (i > first && s[i].t_us <= s[i - 1].t_us)
			break;
		max_kib = fmax(max_kib, (double)s[i].load_kib);
		/*
		 * The load grew from one sample to the next: ticks may be far apart while the guest is short
		 * of time.
		 */
		if (i > first)
			area += ((double)s[i].load_kib + (double)s[i - 1].load_kib) / 2 *
				(double)(s[i].t_us - s[i - 1].t_us);
	}

	double us = (double)(s[i - 1].t_us - s[first].t_us);

	return (struct footprint){
		.max_kib = max_kib,
		.mean_kib = us > 0 ? area / us : max_kib,
		.wall_ms = us / 1000,
	};
}

void footprint_add(struct footprint_values *v, double kib)
{
	if (isnan(kib))
		return;
	v->max_kib = fmax(v->max_kib, kib);
	v->mean_kib = v->n ? v->mean_kib + (kib - v->mean_kib) / (double)(v->n + 1) : kib;
	v->n++;
}
