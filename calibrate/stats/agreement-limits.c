/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Limits of agreement, their intervals and tolerance bounds.
 *
 * A difference of cell c is bias + cell's own + error of the replicate. The variance of one difference is the
 * sum of that between cells and that within (Bland & Altman 2007, J. Biopharm. Stat. 17:571). With cells'
 * means of variance s^2, which has 1/m_h of the within variance in it (m_h: harmonic mean of the numbers of
 * replicates), this is s^2 + (1 - 1/m_h) MSW, as for unequal numbers in Zou 2013, Stat. Methods Med. Res.
 * 22:630.
 *
 * What it cannot show: differences are taken for normal. Limits are quantiles far out, and of a skewed or
 * heavy-tailed distribution they are others.
 */
#include "calibrate/stats/agreement-limits.h"

#include <math.h>

#include "calibrate/stats/agreement-line.h"

static double square(double x)
{
	return x * x;
}

void limits_moments_init(struct limits_moments *m, const double *d, const size_t *start, size_t k,
			 double uncertainty)
{
	double inverse_sizes = 0, squares_within = 0, squares_cells = 0;
	double first = k ? mean_of(d, start[1]) : 0, sum = 0;

	*m = (struct limits_moments){ .bias = NAN, .variance_cells = NAN, .variance_within = NAN };
	m->uncertainty = uncertainty;
	if (k == 0)
		return;
	m->k = (double)k;
	m->n = (double)start[k];
	for (size_t c = 0; c < k; c++) {
		double mean = mean_of(d + start[c], start[c + 1] - start[c]);

		sum += mean - first;
		inverse_sizes += 1 / (double)(start[c + 1] - start[c]);
		for (size_t i = start[c]; i < start[c + 1]; i++)
			squares_within += square(d[i] - mean);
	}
	m->bias = first + sum / m->k;
	for (size_t c = 0; c < k; c++)
		squares_cells += square(mean_of(d + start[c], start[c + 1] - start[c]) - m->bias);
	m->within_share = 1 - inverse_sizes / m->k;
	if (k > 1)
		m->variance_cells = squares_cells / (m->k - 1);
	if (start[k] > k)
		m->variance_within = squares_within / (m->n - m->k);
}

/* Standard error of the bias, with the uncertainty that is shared. */
static double bias_se(const struct limits_moments *m)
{
	return sqrt(m->variance_cells / m->k + square(m->uncertainty));
}

/* What replicates add to the variance of one difference, beyond what is in the cells' means. */
static double added_within(const struct limits_moments *m)
{
	return isnan(m->variance_within) ? 0 : m->within_share * m->variance_within;
}

/*
 * Bland & Altman 1999, Stat. Methods Med. Res. 8:135: Var(limit) is about 3 s^2 / n, where s^2 / n is of the
 * mean and 2 s^2 / n of 1.96 s. The latter is 2 / s^2 times Var(s^2) / 2; with replicates s^2 is a sum of two
 * mean squares, each with a variance of its own.
 */
static double limit_se(const struct limits_moments *m, double sd)
{
	double within = added_within(m), spread = square(m->variance_cells) / m->k;

	if (within > 0)
		spread += square(within) / (m->n - m->k);
	return sqrt(square(bias_se(m)) + (sd > 0 ? 2 / square(sd) * spread : 0));
}

/* One-sided bounds of sd, by MOVER from those of the two mean squares (Zou 2013, eq. 5 and 6). */
static struct interval sd_bounds(const struct limits_moments *m, double confidence)
{
	double df_cells = m->k - 1, df_within = m->n - m->k, within = added_within(m);
	double sum = m->variance_cells + within, below, above;

	below = square(m->variance_cells * (1 - df_cells / dist_chi2_quantile(confidence, df_cells)));
	above = square(m->variance_cells * (df_cells / dist_chi2_quantile(1 - confidence, df_cells) - 1));
	if (within > 0) {
		below += square(within * (1 - df_within / dist_chi2_quantile(confidence, df_within)));
		above += square(within * (df_within / dist_chi2_quantile(1 - confidence, df_within) - 1));
	}
	return (struct interval){ sqrt(fmax(0, sum - sqrt(below))), sqrt(sum + sqrt(above)) };
}

static void compute_bounds(const struct limits_moments *m, double confidence, struct agreement_limits *ret)
{
	double bias = dist_t_quantile(confidence, m->k - 1) * bias_se(m);
	struct interval sd = sd_bounds(m, confidence);
	double outwards = hypot(bias, LIMITS_SD * (sd.hi - ret->sd));
	double inwards = hypot(bias, LIMITS_SD * (ret->sd - sd.lo));

	ret->outer = (struct interval){ ret->loa.lo - outwards, ret->loa.hi + outwards };
	ret->inner = (struct interval){ ret->loa.lo + inwards, ret->loa.hi - inwards };
}

static struct interval around(double middle, double half)
{
	return (struct interval){ middle - half, middle + half };
}

void limits_compute(const struct limits_moments *m, double confidence, struct agreement_limits *ret)
{
	*ret = (struct agreement_limits){
		.bias = m->bias,
		.bias_ci = INTERVAL_NONE,
		.sd = NAN,
		.sd_between = NAN,
		.sd_within = sqrt(m->variance_within),
		.loa = INTERVAL_NONE,
		.loa_lo_ci = INTERVAL_NONE,
		.loa_hi_ci = INTERVAL_NONE,
		.outer = INTERVAL_NONE,
		.inner = INTERVAL_NONE,
	};
	if (!(m->k > 1))
		return;

	double t = dist_t_quantile(0.975, m->k - 1), shared = 0;

	ret->bias_ci = around(m->bias, t * bias_se(m));
	ret->sd = sqrt(m->variance_cells + added_within(m));
	if (!isnan(m->variance_within))
		shared = (1 - m->within_share) * m->variance_within;
	ret->sd_between = sqrt(fmax(0, m->variance_cells - shared));
	ret->loa = around(m->bias, LIMITS_SD * ret->sd);
	ret->loa_lo_ci = around(ret->loa.lo, t * limit_se(m, ret->sd));
	ret->loa_hi_ci = around(ret->loa.hi, t * limit_se(m, ret->sd));
	compute_bounds(m, confidence, ret);
}

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
	double se = bias_se(pct), distance = margin_pct - fabs(pct->bias);

	if (!(se > 0))
		return isnan(se) ? (double)NAN : distance > 0 ? 0 : 1;
	/* The test against the nearer margin has the larger p. */
	return dist_t_upper(distance / se, pct->k - 1);
}

static bool is_decided_with(const struct limits_moments *pct, double margin_pct, double confidence, size_t k)
{
	struct limits_moments more = *pct;
	struct agreement_limits limits;

	more.k = (double)k;
	more.n = pct->n / pct->k * more.k;
	limits_compute(&more, confidence, &limits);
	return limits_verdict(&limits, margin_pct) != AGREEMENT_UNDECIDED;
}

/*
 * The moments stay the same, so bounds only move towards their limit of agreement when cells are added.
 * What is decided stays decided, and bisection works.
 */
size_t limits_cells_needed(const struct limits_moments *pct, double margin_pct, double confidence)
{
	size_t undecided = (size_t)pct->k, decided = CELLS_MAX;

	if (undecided < 2 || undecided >= decided || !is_decided_with(pct, margin_pct, confidence, decided))
		return 0;
	/* The number doubles first, since most verdicts need few cells. */
	while (decided - undecided > 1) {
		size_t middle = undecided + (decided - undecided) / 2;
		size_t k = middle < 2 * undecided ? middle : 2 * undecided;

		if (is_decided_with(pct, margin_pct, confidence, k))
			decided = k;
		else
			undecided = k;
	}
	return decided;
}
