/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Limits of agreement, their intervals and tolerance bounds.
 *
 * A difference of cluster c is bias + cluster's own + error of the replicate. The variance of one difference
 * is the sum of that between clusters and that within (Bland & Altman 2007, J. Biopharm. Stat. 17:571). With
 * clusters' means of variance s^2, which has 1/m_h of the within variance in it (m_h: harmonic mean of the
 * numbers of replicates), this is s^2 + (1 - 1/m_h) MSW, as for unequal numbers in Zou 2013, Stat. Methods
 * Med. Res. 22:630.
 * Tolerance bounds are exact where every cluster has one difference. With replicates no exact ones are known.
 *
 * What it cannot show: limits take differences for normal. They are quantiles far out, and of a skewed or
 * heavy-tailed distribution they are others. So nothing is validated by them, but by a wider bound. That
 * one still takes its standard deviation from the sample, as if normal: see tests/sim/verdicts.c.
 */
#include "calibrate/stats/agreement-limits.h"

#include <math.h>

#include "calibrate/stats/agreement-line.h"

/*
 * Of any distribution with one peak 95 % lie within so many standard deviations of the mean: sqrt(4/9 / 0.05)
 * (Vysochanskij & Petunin 1980).
 */
#define ONE_PEAK_SD 2.9814239699997196

static double square(double x)
{
	return x * x;
}

void limits_moments_init(struct limits_moments *m, const double *d, const size_t *start, size_t k,
			 double uncertainty)
{
	double inverse_sizes = 0, squares_within = 0, squares_clusters = 0;
	double first = k ? mean_of(d, start[1]) : 0, sum = 0;

	*m = (struct limits_moments){ .bias = NAN, .variance_clusters = NAN, .variance_within = NAN };
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
		squares_clusters += square(mean_of(d + start[c], start[c + 1] - start[c]) - m->bias);
	m->within_share = 1 - inverse_sizes / m->k;
	if (k > 1)
		m->variance_clusters = squares_clusters / (m->k - 1);
	if (start[k] > k)
		m->variance_within = squares_within / (m->n - m->k);
}

/* Standard error of the bias, with the uncertainty that is shared. */
static double bias_se(const struct limits_moments *m)
{
	return sqrt(m->variance_clusters / m->k + square(m->uncertainty));
}

/* What replicates add to the variance of one difference, beyond what is in the clusters' means. */
static double added_within(const struct limits_moments *m)
{
	return isnan(m->variance_within) ? 0 : m->within_share * m->variance_within;
}

/*
 * Of mean + factor * s. Bland & Altman 1986, Lancet 1:307: Var(limit) is about 3 s^2 / n, where s^2 / n is of
 * the mean and 2 s^2 / n of 1.96 s, for which they take 2 s. The latter is factor^2 / 4 s^2 times Var(s^2);
 * with replicates s^2 is a sum of two mean squares, each with a variance of its own.
 */
static double limit_se(const struct limits_moments *m, double sd, double factor)
{
	double within = added_within(m), spread = square(m->variance_clusters) / m->k;

	if (within > 0)
		spread += square(within) / (m->n - m->k);
	return sqrt(square(bias_se(m)) + (sd > 0 ? square(factor / sd) / 2 * spread : 0));
}

/* One-sided bound of sd, by MOVER from those of the two mean squares (Zou 2013, eq. 6). */
static double sd_bound(const struct limits_moments *m, double confidence)
{
	double df_clusters = m->k - 1, df_within = m->n - m->k, within = added_within(m);
	double above = square(m->variance_clusters *
			      (df_clusters / dist_chi2_quantile(1 - confidence, df_clusters) - 1));

	if (within > 0)
		above += square(within * (df_within / dist_chi2_quantile(1 - confidence, df_within) - 1));
	return sqrt(m->variance_clusters + within + sqrt(above));
}

/* How much further out a limit may be. */
static double outwards(const struct limits_moments *m, double confidence, double sd)
{
	double t = dist_t_quantile(confidence, m->k - 1);

	if (added_within(m) > 0)
		return hypot(t * bias_se(m), LIMITS_SD * (sd_bound(m, confidence) - sd));
	return hypot(t * m->uncertainty,
		     (dist_tolerance_outer(LIMITS_SD, m->k, m->k - 1, confidence) - LIMITS_SD) * sd);
}

/*
 * How much further in both limits may be. With replicates the degrees of freedom are Satterthwaite's, and the
 * number of clusters is that of so many single differences as tell as much of the bias (Mee & Owen 1983, J.
 * Am. Stat. Assoc. 78:901). The same for the other direction would be too short for few clusters.
 */
static double inwards(const struct limits_moments *m, double confidence, double sd)
{
	double t = dist_t_quantile((1 + confidence) / 2, m->k - 1), n = m->k, df = m->k - 1;
	double within = added_within(m) / square(sd), clusters = m->variance_clusters / square(sd);

	if (within > 0) {
		df = 1 / (square(clusters) / df + square(within) / (m->n - m->k));
		/* Clusters' means differ by what replicates do at least, whatever few of them show. */
		n /= fmax(clusters, within / m->within_share - within);
	}
	return hypot(t * m->uncertainty,
		     (LIMITS_SD - dist_tolerance_inner(LIMITS_SD, n, df, confidence)) * sd);
}

/* How far from the bias. */
static double surely_within(const struct limits_moments *m, double confidence)
{
	return dist_t_quantile(confidence, m->k - 1) * bias_se(m) + ONE_PEAK_SD * sd_bound(m, confidence);
}

static struct interval around(double middle, double half)
{
	return (struct interval){ middle - half, middle + half };
}

void limits_compute(const struct limits_moments *m, double confidence, double confidence_validated,
		    struct agreement_limits *ret)
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
		.surely_within = INTERVAL_NONE,
	};
	if (!(m->k > 1))
		return;

	double t = dist_t_quantile(0.975, m->k - 1), shared = 0;

	ret->bias_ci = around(m->bias, t * bias_se(m));
	ret->sd = sqrt(m->variance_clusters + added_within(m));
	if (!isnan(m->variance_within))
		shared = (1 - m->within_share) * m->variance_within;
	ret->sd_between = sqrt(fmax(0, m->variance_clusters - shared));
	ret->loa = around(m->bias, LIMITS_SD * ret->sd);
	ret->loa_lo_ci = around(ret->loa.lo, t * limit_se(m, ret->sd, 2));
	ret->loa_hi_ci = around(ret->loa.hi, t * limit_se(m, ret->sd, 2));
	ret->outer = around(m->bias, LIMITS_SD * ret->sd + outwards(m, confidence, ret->sd));
	ret->inner = around(m->bias, LIMITS_SD * ret->sd - inwards(m, confidence, ret->sd));
	ret->surely_within = around(m->bias, surely_within(m, confidence_validated));
}

/* More clusters than anyone will measure. */
#define CLUSTERS_MAX 100000

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
	if (-margin_pct < pct->surely_within.lo && pct->surely_within.hi < margin_pct)
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

/* Four of five samples come out no worse than so many standard errors from what is expected. */
#define POWER    0.8
#define POWER_SE 0.8416

/* More than anyone will look at one by one. */
#define COUNTED_MAX 2000

static bool is_decided_with(const struct limits_moments *pct, double margin_pct, double confidence, size_t k)
{
	struct limits_moments more = *pct;
	double sd = sqrt(pct->variance_clusters + added_within(pct)), bias = fabs(pct->bias);
	double limit = bias + LIMITS_SD * sd, bound;
	bool is_beyond = limit > margin_pct;

	more.k = (double)k;
	more.n = pct->n / pct->k * more.k;
	bound = is_beyond ? limit - inwards(&more, confidence, sd) : bias + surely_within(&more, confidence);

	/* By so much chance moves it. */
	double moved = POWER_SE * limit_se(&more, sd, sd > 0 ? (bound - bias) / sd : 0);

	return is_beyond ? bound - moved > margin_pct : bound + moved < margin_pct;
}

/*
 * How many clusters show, each for itself, that LIMITS_SHARE of such are within the margin, in four of five
 * samples of normal ones; 0: too many. For each number of those beyond it there is a least number in all.
 */
static size_t needed_by_counting(const struct limits_moments *pct, double margin_pct, double confidence)
{
	double sd = sqrt(pct->variance_clusters + added_within(pct)), margin = margin_pct - pct->uncertainty;
	double beyond =
		dist_normal_upper((margin - pct->bias) / sd) + dist_normal_upper((margin + pct->bias) / sd);
	unsigned k = 1;

	for (unsigned n = 0; k < COUNTED_MAX && beyond < 1 - LIMITS_SHARE; n++) {
		while (dist_binomial_lower(n, 1 - LIMITS_SHARE, k) > 1 - confidence)
			k++;
		if (dist_binomial_lower(n, beyond, k) >= POWER)
			return k;
	}
	return 0;
}

/*
 * The moments stay the same, so bounds only move towards what they bound, and vary less, when clusters are
 * added. What is decided stays decided, and bisection works.
 */
size_t limits_clusters_needed(const struct limits_moments *pct, double margin_pct, double confidence)
{
	size_t undecided = (size_t)pct->k, decided = CLUSTERS_MAX;
	size_t counted = needed_by_counting(pct, margin_pct, confidence);

	if (undecided < 2 || undecided >= decided || !is_decided_with(pct, margin_pct, confidence, decided))
		return counted;
	/* The number doubles first, since most verdicts need few clusters. */
	while (decided - undecided > 1) {
		size_t middle = undecided + (decided - undecided) / 2;
		size_t k = middle < 2 * undecided ? middle : 2 * undecided;

		if (is_decided_with(pct, margin_pct, confidence, k))
			decided = k;
		else
			undecided = k;
	}
	return counted && counted < decided ? counted : decided;
}
