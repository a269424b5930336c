/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/stats/agreement-internal.h"

#include <math.h>

/* More cells than anyone will measure. */
#define CELLS_MAX 100000

const char *agreement_verdict_name(enum agreement_verdict verdict)
{
	static const char *const names[] = {
		[AGREEMENT_VALIDATED] = "validated",
		[AGREEMENT_REJECTED] = "rejected",
		[AGREEMENT_UNDECIDED] = "undecided",
	};

	return names[verdict];
}

enum agreement_verdict limits_verdict(const struct agreement_limits *pct, double margin_pct)
{
	if (-margin_pct < pct->outer.lo && pct->outer.hi < margin_pct)
		return AGREEMENT_VALIDATED;
	if (pct->inner.lo < -margin_pct || pct->inner.hi > margin_pct)
		return AGREEMENT_REJECTED;
	return AGREEMENT_UNDECIDED;
}

double limits_tost_p(const struct limits_moments *pct, double margin_pct)
{
	double se = limits_bias_se(pct), distance = margin_pct - fabs(pct->bias);

	if (!(se > 0))
		return isnan(se) ? (double)NAN : distance > 0 ? 0 : 1;
	/* The test against the nearer margin has the larger p. */
	return dist_t_upper(distance / se, pct->k - 1);
}

static bool is_decided_with(const struct limits_moments *pct, const struct agreement_params *params, size_t k)
{
	struct limits_moments more = *pct;
	struct agreement_limits limits;

	more.k = (double)k;
	more.n = pct->n / pct->k * more.k;
	limits_compute(&more, params->confidence, &limits);
	return limits_verdict(&limits, params->margin_pct) != AGREEMENT_UNDECIDED;
}

/*
 * As all moments stay, bounds only come nearer to their limit of agreement when cells are added: what is
 * decided stays decided, and bisection is right.
 */
size_t limits_cells_needed(const struct limits_moments *pct, const struct agreement_params *params)
{
	size_t undecided = (size_t)pct->k, decided = CELLS_MAX;

	if (undecided < 2 || undecided >= decided || !is_decided_with(pct, params, decided))
		return 0;
	for (size_t k = 2 * undecided; k < decided; k *= 2) {
		if (is_decided_with(pct, params, k))
			decided = k;
		else
			undecided = k;
	}
	while (decided - undecided > 1) {
		size_t k = undecided + (decided - undecided) / 2;

		if (is_decided_with(pct, params, k))
			decided = k;
		else
			undecided = k;
	}
	return decided;
}
