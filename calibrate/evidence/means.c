/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/means.h"

#include <math.h>

void means_known(const double *first, size_t stride, size_t n, size_t numbers, double *ret)
{
	for (size_t i = 0; i < numbers; i++) {
		double sum = 0;
		size_t known = 0;

		for (size_t k = 0; k < n; k++) {
			double x = first[k * stride + i];

			if (isnan(x))
				continue;
			sum += x;
			known++;
		}
		ret[i] = known ? sum / (double)known : (double)NAN;
	}
}
