/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Published data for the tests of agreement. */

#include <stdlib.h>

#include "calibrate/stats/agreement.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

/* Peak expiratory flow of 17 people in l/min, each measured twice by two meters (Bland & Altman 1986, Lancet
 * 1:307). */
#define PEFR_N 17

static const double wright_1[PEFR_N] = { 494, 395, 516, 434, 476, 557, 413, 442, 650,
					 433, 417, 656, 267, 478, 178, 423, 427 };
static const double wright_2[PEFR_N] = { 490, 397, 512, 401, 470, 611, 415, 431, 638,
					 429, 420, 633, 275, 492, 165, 372, 421 };
static const double mini_1[PEFR_N] = { 512, 430, 520, 428, 500, 600, 364, 380, 658,
				       445, 432, 626, 260, 477, 259, 350, 451 };
static const double mini_2[PEFR_N] = { 525, 415, 508, 444, 500, 625, 460, 390, 642,
				       432, 420, 605, 227, 467, 268, 370, 443 };

static const struct agreement_params usual = { .margin_pct = 5,
					       .confidence = 0.95,
					       .confidence_validated = 0.95 };

__attribute__((unused)) static struct agreement of(const struct agreement_pair *pairs, size_t n)
{
	struct agreement a;

	agreement_compare(pairs, n, &usual, &a);
	return a;
}

/* Each pair a cluster of its own. */
__attribute__((unused)) static struct agreement compare(const double *z, const double *y, size_t n)
{
	cleanup_free struct agreement_pair *pairs = xcalloc(n + 1, sizeof(*pairs));

	for (size_t i = 0; i < n; i++)
		pairs[i] = (struct agreement_pair){ z[i], y[i], i };
	return of(pairs, n);
}
