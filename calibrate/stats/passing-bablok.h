/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "calibrate/stats/agreement-line.h"

struct passing_bablok {
	struct agreement_line line;
	double linearity_p;
	bool is_enumerated;
};

/** All slopes of 2,000 points take 16 MB. */
#define PB_ENUMERATE_MAX 2000

/** Passing & Bablok 1983. Slopes of up to enumerate_max points are enumerated. */
void passing_bablok_fit(const double *z, const double *y, size_t k, size_t enumerate_max,
			struct passing_bablok *ret);
