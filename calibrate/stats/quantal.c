/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/stats/quantal.h"

#include <assert.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_sort_double.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

/* Answers in order: doses rise strictly, each n > 0. */
struct quantal_data {
	struct quantal_point *points;
	size_t n;
	double n_sum;
	/* The first dose with a response, the last one with a non-response; NAN where there is none. */
	double yes_lo, no_hi;
};

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
	d->yes_lo = d->no_hi = (double)NAN;
	for (size_t i = 0; i < d->n; i++) {
		const struct quantal_point *p = &d->points[i];

		if (p->yes > 0 && isnan(d->yes_lo))
			d->yes_lo = p->dose;
		if (p->yes < p->n)
			d->no_hi = p->dose;
		d->n_sum += p->n;
	}
}

/* Sorts, adds up what was answered at equal doses, leaves out points with nothing asked. */
static void data_init(struct quantal_data *d, const struct quantal_point *points, size_t n)
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

static void data_deinit(struct quantal_data *d)
{
	free(d->points);
}

static enum quantal_separation data_separation(const struct quantal_data *d)
{
	if (isnan(d->yes_lo) || isnan(d->no_hi))
		return QUANTAL_ONE_SIDED;
	return d->yes_lo > d->no_hi ? QUANTAL_COMPLETE : QUANTAL_OVERLAP;
}

enum quantal_separation quantal_separation(const struct quantal_point *points, size_t n)
{
	struct quantal_data d cleanup(data_deinit);

	data_init(&d, points, n);
	return data_separation(&d);
}

/* --- The logistic curve */

/*
 * The logistic curve, by the likelihood with Firth's penalty (Biometrika 80, 1993, 27-38; for logistic
 * regression: Heinze & Schemper, Statistics in Medicine 21, 2002, 2409-2419). In what follows that is the
 * likelihood, and doses have mean 0 and standard deviation 1, for logit P(yes) = a + b dose.
 *
 * What it cannot show: that the curve is logistic. Firth's penalty likes curves that are so flat that
 * doses far from ED50 still carry information: of a dozen answers, of which some are far away, it makes wide
 * intervals rather than wrong ones.
 */

/*
 * The likelihood at one (a, b), about the mean dose weighted with the information: where a steep curve lets
 * only doses close to each other count, sums about 0 would lose what distinguishes them.
 */
struct logit_terms {
	double objective;        /* log likelihood; may be -INFINITY */
	double x_mean;           /* that mean */
	double i_aa, i_bb;       /* Fisher's information of the curve's height at x_mean, and of its slope */
	double score_a, score_b; /* the derivatives by them */
	double c_aa, c_ab, c_bb; /* how fast the scores fall; with the penalty that is not the information */
};

/* log P(yes) of a logit, without overflow. */
static double log_share(double logit)
{
	return logit < 0 ? logit - log1p(exp(logit)) : -log1p(exp(-logit));
}

static double share(double logit)
{
	return 1 / (1 + exp(-logit));
}

/* The likelihood, its scores, and the mean dose. */
static void sum_answers(const struct quantal_data *d, double a, double b, struct logit_terms *t)
{
	double mean_residual = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct quantal_point *p = &d->points[i];
		double logit = a + b * p->dose;
		/* The weight of a dose in the information. 1 - p is exact also where p is nearly 1. */
		double w = p->n * share(logit) * share(-logit);
		/* This form has no difference of numbers near 1. */
		double residual = p->yes * share(-logit) - (p->n - p->yes) * share(logit);

		t->objective += p->yes * log_share(logit) + (p->n - p->yes) * log_share(-logit);
		t->score_a += residual;
		mean_residual += residual * p->dose;
		t->i_aa += w;
		t->x_mean += w * p->dose;
	}
	/* A very steep curve has only shares of 0 and 1 in a double. Then any mean will do. */
	t->x_mean = t->i_aa > 0 ? t->x_mean / t->i_aa : 0;
	t->score_b = mean_residual - t->x_mean * t->score_a;
}

/* Sums over doses of their weights' derivatives by the logit, times powers of the distance from the mean
 * dose. */
struct moments {
	double w[5], w1[5], w2[5];
};

static void sum_moments(const struct quantal_data *d, double a, double b, double x_mean, struct moments *m)
{
	for (size_t i = 0; i < d->n; i++) {
		double dx = d->points[i].dose - x_mean, logit = a + b * d->points[i].dose;
		double p = share(logit), q = share(-logit), power = d->points[i].n * p * q;

		for (int k = 0; k < 5; k++) {
			m->w[k] += power;
			m->w1[k] += power * (q - p);
			m->w2[k] += power * (1 - 6 * p * q);
			power *= dx;
		}
	}
}

/*
 * Adds Firth's penalty, (log D) / 2 with D the determinant of the information, and its derivatives. About
 * x_mean the information has no element off the diagonal, so D = S0 S2 with Sk the sum of w dx^k; its
 * derivatives have other elements too.
 */
static void add_penalty(const struct moments *m, struct logit_terms *t)
{
	double s0 = m->w[0], s2 = m->w[2], s02 = s0 * s2;
	const double *w1 = m->w1, *w2 = m->w2;
	double by_a = w1[0] / s0 + w1[2] / s2, by_b = w1[1] / s0 + w1[3] / s2;
	double by_aa = w2[0] / s0 + w2[2] / s2 + 2 * (w1[0] * w1[2] - w1[1] * w1[1]) / s02;
	double by_ab = w2[1] / s0 + w2[3] / s2 + (w1[0] * w1[3] - w1[1] * w1[2]) / s02;
	double by_bb = w2[2] / s0 + w2[4] / s2 + 2 * (w1[1] * w1[3] - w1[2] * w1[2]) / s02;

	t->objective += (log(s0) + log(s2)) / 2;
	t->score_a += by_a / 2;
	t->score_b += by_b / 2;
	t->c_aa -= (by_aa - by_a * by_a) / 2;
	t->c_ab -= (by_ab - by_a * by_b) / 2;
	t->c_bb -= (by_bb - by_b * by_b) / 2;
}

static void logit_evaluate(const struct quantal_data *d, double a, double b, struct logit_terms *ret)
{
	struct logit_terms t = { 0 };
	struct moments m = { 0 };

	sum_answers(d, a, b, &t);
	sum_moments(d, a, b, t.x_mean, &m);
	t.i_bb = m.w[2];
	t.c_aa = t.i_aa;
	t.c_bb = t.i_bb;
	if (t.i_aa * t.i_bb > 0)
		add_penalty(&m, &t);
	else
		t.objective = -(double)INFINITY;
	*ret = t;
}

/* Some 10 steps are usual. */
#define NEWTON_STEPS 500
#define MAX_HALVINGS 50

/*
 * What a step promises, in units of the log likelihood; its root is about the way to the top in standard
 * errors. Done when that is 1e-10, or 1e-6 when rounding allows no more. Below NEAR, the likelihood's own
 * digits cannot tell higher from lower, but scores can.
 */
#define PROMISE_DONE   1e-20
#define PROMISE_ENOUGH 1e-12
#define PROMISE_NEAR   1e-9

/* A step must keep this share of its promise; one to the top of a parabola keeps a half. */
#define KEPT 0.1

struct step {
	double a, b;
	double promise;
};

/*
 * Newton's step; where the likelihood is not concave, which may be away from its top, Fisher's
 * step, which always leads upwards.
 */
static struct step find_step(const struct logit_terms *t)
{
	bool is_concave = t->c_aa > 0 && t->c_aa * t->c_bb > t->c_ab * t->c_ab;
	double c_aa = is_concave ? t->c_aa : t->i_aa, c_bb = is_concave ? t->c_bb : t->i_bb;
	double c_ab = is_concave ? t->c_ab : 0, det = c_aa * c_bb - c_ab * c_ab;
	double mean = (c_bb * t->score_a - c_ab * t->score_b) / det;
	double b = (c_aa * t->score_b - c_ab * t->score_a) / det;

	return (struct step){ mean - b * t->x_mean, b, mean * t->score_a + b * t->score_b };
}

/* The size of the scores by a measure that does not depend on the unit of the dose. */
static double score_size(const struct logit_terms *t, const struct logit_terms *unit)
{
	return t->score_a * t->score_a / unit->i_aa + t->score_b * t->score_b / unit->i_bb;
}

static bool is_better(const struct logit_terms *t, const struct logit_terms *next, double promise)
{
	if (promise > PROMISE_NEAR)
		return next->objective >= t->objective + KEPT * promise;
	return score_size(next, t) < score_size(t, t);
}

/* Takes the step, halved until it leads upwards. */
static bool climb(const struct quantal_data *d, struct step step, double *a, double *b, struct logit_terms *t)
{
	for (int i = 0; i < MAX_HALVINGS; i++) {
		struct logit_terms next;

		logit_evaluate(d, *a + step.a, *b + step.b, &next);
		if (is_better(t, &next, step.promise)) {
			*a += step.a;
			*b += step.b;
			*t = next;
			return true;
		}
		step = (struct step){ step.a / 2, step.b / 2, step.promise / 2 };
	}
	return false;
}

/* Finds the a and b of the highest likelihood. */
static bool maximize(const struct quantal_data *d, double *a, double *b)
{
	struct logit_terms t;

	*a = *b = 0;
	logit_evaluate(d, 0, 0, &t);
	for (int i = 0; i < NEWTON_STEPS && t.i_bb > 0; i++) {
		struct step step = find_step(&t);

		if (step.promise >= PROMISE_DONE && climb(d, step, a, b, &t))
			continue;
		return step.promise < PROMISE_ENOUGH;
	}
	return false;
}

/*
 * The interval of ED50 by its profile likelihood. With logit P(yes) = b (dose - e) the likelihood is a
 * function of ED50 = e and of b; for each e it is maximised over b > 0, and e is in the interval when twice
 * the loss against the maximum is below the 95 % quantile of chi2 with one degree of freedom, as Heinze &
 * Schemper do.
 *
 * Without the penalty the likelihood is log-concave, so what is not rejected is one interval, and the profile
 * can be walked outward from its top. With it nobody has proven that; an interval then ends where the profile
 * is first rejected.
 */

/* Standardised doses are within some units of 0; an ED50 farther out is as good as none. */
#define FARTHEST 1e6

/* The walk outward begins where the logit differs by this: less than any interval worth having. */
#define FIRST_LOGIT 0.1

/* For the search of a root; some 10 steps are usual. */
#define ROOT_TOLERANCE 1e-10
#define ROOT_STEPS     100

struct context {
	const struct quantal_data *d;
	double ed50;         /* of the top */
	double direction;    /* 1 or -1: the end looked for */
	double target;       /* the lowest likelihood that is not rejected */
	double slope;        /* of the top, where to look for others */
	double e, objective; /* the ED50 of a profile, and the likelihood at the slope asked last */
};

typedef double function(struct context *c, double x);

/*
 * The root of f between lo, where f is above 0, and hi, where it is not: regula falsi in its Illinois variant
 * (Dowell & Jarratt, BIT 11, 1971, 168-174), which halves the value of an end that stays. Each third step is
 * a bisection, so that no shape of f takes many.
 */
static double find_root(struct context *c, function *f, double lo, double f_lo, double hi, double f_hi)
{
	double x = lo;
	int stayed = 0;

	for (int i = 1; i <= ROOT_STEPS && hi - lo > ROOT_TOLERANCE * hi; i++) {
		x = i % 3 ? (lo * f_hi - hi * f_lo) / (f_hi - f_lo) : lo + (hi - lo) / 2;

		double f_x = f(c, x);

		/* It is 0 or not a number: there is nothing more to find. */
		if (!(fabs(f_x) > 0))
			break;
		if (f_x > 0) {
			f_hi /= stayed == 1 ? 2 : 1;
			stayed = 1;
			lo = x;
			f_lo = f_x;
		} else {
			f_lo /= stayed == -1 ? 2 : 1;
			stayed = -1;
			hi = x;
			f_hi = f_x;
		}
	}
	return x;
}

/* The derivative of the likelihood by the slope b, with ED50 = e. */
static double slope_score(struct context *c, double b)
{
	struct logit_terms t;

	logit_evaluate(c->d, -b * c->e, b, &t);
	c->objective = t.objective;
	return t.score_b + (t.x_mean - c->e) * t.score_a;
}

/* How far the profile at that distance from its top is above the target. */
static double excess(struct context *c, double distance)
{
	/* For an ED50 far away, b is so small that logits differ by some units among the doses. */
	double lo = 0, hi = fmin(c->slope, 1 / distance), f_lo, f_hi;

	c->e = c->ed50 + c->direction * distance;
	f_lo = slope_score(c, 0);
	/* The likelihood falls from b = 0 on: with this ED50, a half at every dose is likeliest. */
	if (f_lo <= 0)
		return c->objective - c->target;
	while ((f_hi = slope_score(c, hi)) > 0) {
		lo = hi;
		f_lo = f_hi;
		hi *= 2;
	}
	find_root(c, slope_score, lo, f_lo, hi, f_hi);
	return c->objective - c->target;
}

static double find_end(struct context *c, double direction)
{
	double near = 0, far = FIRST_LOGIT / c->slope, f_near = dist_chi2_quantile(0.95, 1) / 2, f_far;

	c->direction = direction;
	while ((f_far = excess(c, far)) > 0) {
		near = far;
		f_near = f_far;
		far *= 2;
		if (far > FARTHEST)
			return direction * (double)INFINITY;
	}
	return c->ed50 + direction * find_root(c, excess, near, f_near, far, f_far);
}

/* a and b are where the likelihood is highest; b > 0. */
static struct interval profile_interval(const struct quantal_data *d, double a, double b)
{
	struct context c = { .d = d, .ed50 = -a / b, .slope = b };
	struct logit_terms top;

	logit_evaluate(d, a, b, &top);
	c.target = top.objective - dist_chi2_quantile(0.95, 1) / 2;
	return (struct interval){ find_end(&c, -1), find_end(&c, 1) };
}

/* Doses become (dose - mean) / sd; false when there is but one dose. */
static bool standardize(struct quantal_data *d, double *ret_mean, double *ret_sd)
{
	double mean = 0, square = 0;

	if (d->n < 2)
		return false;
	/* Differences from the first dose are summed: doses are large, their differences small. */
	for (size_t i = 0; i < d->n; i++)
		mean += d->points[i].n / d->n_sum * (d->points[i].dose - d->points[0].dose);
	mean += d->points[0].dose;
	for (size_t i = 0; i < d->n; i++)
		square += d->points[i].n / d->n_sum * pow(d->points[i].dose - mean, 2);
	*ret_mean = mean;
	*ret_sd = sqrt(square);
	for (size_t i = 0; i < d->n; i++)
		d->points[i].dose = (d->points[i].dose - mean) / *ret_sd;
	return *ret_sd > 0 && isfinite(*ret_sd);
}

static struct interval scaled(struct interval i, double mean, double sd)
{
	return (struct interval){ mean + sd * i.lo, mean + sd * i.hi };
}

void quantal_fit_logistic(const struct quantal_point *points, size_t n, struct quantal_logistic *ret)
{
	struct quantal_data d cleanup(data_deinit);
	double mean, sd, a, b;

	*ret = (struct quantal_logistic){ NAN, NAN, NAN, INTERVAL_NONE };
	data_init(&d, points, n);
	if (data_separation(&d) == QUANTAL_ONE_SIDED || !standardize(&d, &mean, &sd))
		return;
	if (!maximize(&d, &a, &b))
		return;
	ret->slope = b / sd;
	ret->intercept = a - b * (mean / sd);
	/* Where a falling curve reaches a half, swapping does not begin. */
	if (b <= 0)
		return;
	ret->ed50 = mean + sd * (-a / b);
	ret->profile = scaled(profile_interval(&d, a, b), mean, sd);
}

/* --- Isotonic regression */

/*
 * ED50 without a curve's form: centred isotonic regression (Oron & Flournoy, Statistics in Biopharmaceutical
 * Research 9, 2017, 258-267). Shares of yes that fall from a dose to the next are pooled; a pool lies at the
 * mean of its doses, weighted with n, and straight lines join the pools. Equal shares are pooled too, so that
 * the curve rises strictly, but not shares of 0 and 1: there nothing says that the response rises.
 *
 * What it cannot show: anything between two doses but that the response does not fall there. The gap between
 * separated answers does not know how few they are. Elsewhere the interval is rather too wide, since
 * resampling smooths a jagged curve.
 */

/* The 2.5 % point is the 25th of them: its own chance error is then some 20 % of 2.5 %. */
#define RESAMPLES 1000

static bool is_violation(const struct quantal_point *low, const struct quantal_point *high)
{
	double left = low->yes * high->n, right = high->yes * low->n;

	/* Equal shares are pooled too, except those of 0 and 1. */
	return left > right || (left >= right && low->yes > 0 && low->yes < low->n);
}

static struct quantal_point merged(const struct quantal_point *a, const struct quantal_point *b)
{
	double n = a->n + b->n;

	return (struct quantal_point){ a->dose + (b->dose - a->dose) * (b->n / n), n, a->yes + b->yes };
}

/* Pools adjacent violators of n points in order; ret has room for n and may be the points themselves. */
static size_t pool(const struct quantal_point *points, size_t n, struct quantal_point *ret)
{
	size_t pools = 0;

	for (size_t i = 0; i < n; i++) {
		ret[pools++] = points[i];
		while (pools > 1 && is_violation(&ret[pools - 2], &ret[pools - 1])) {
			ret[pools - 2] = merged(&ret[pools - 2], &ret[pools - 1]);
			pools--;
		}
	}
	return pools;
}

static double share_of(const struct quantal_point *p)
{
	return p->yes / p->n;
}

/* Where the line through two pools has the height y. */
static double interpolate(const struct quantal_point *low, const struct quantal_point *high, double y)
{
	return low->dose + (high->dose - low->dose) * (y - share_of(low)) / (share_of(high) - share_of(low));
}

/* The dose of a half; -INFINITY when even the lowest share is above it, INFINITY when all are below. */
static double find_half(const struct quantal_point *pools, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (share_of(&pools[i]) < 0.5)
			continue;
		if (share_of(&pools[i]) <= 0.5)
			return pools[i].dose;
		return i > 0 ? interpolate(&pools[i - 1], &pools[i], 0.5) : -(double)INFINITY;
	}
	return (double)INFINITY;
}

/*
 * What was always seen may be only nearly always so: k of k become (k + 1/2) of (k + 1), over all doses of
 * that end together. A curve that rises still rises.
 */
static void shrink_ends(struct quantal_point *pools, size_t n)
{
	size_t first = 0, last = n;
	double n_zeros = 0, n_ones = 0;

	for (; first < n && pools[first].yes <= 0; first++)
		n_zeros += pools[first].n;
	for (; last > first && pools[last - 1].yes >= pools[last - 1].n; last--)
		n_ones += pools[last - 1].n;

	double zero = 0.5 / (n_zeros + 1), one = (n_ones + 0.5) / (n_ones + 1);

	if (first < last) {
		zero = fmin(zero, share_of(&pools[first]));
		one = fmax(one, share_of(&pools[last - 1]));
	}
	for (size_t i = 0; i < first; i++)
		pools[i].yes = zero * pools[i].n;
	for (size_t i = last; i < n; i++)
		pools[i].yes = one * pools[i].n;
}

/* The curve at a dose: straight between pools, level outside of them. */
static double curve_at(const struct quantal_point *pools, size_t n, double dose)
{
	size_t i = 0;

	while (i < n && pools[i].dose < dose)
		i++;
	if (i == 0)
		return share_of(&pools[0]);
	if (i == n)
		return share_of(&pools[n - 1]);

	const struct quantal_point *low = &pools[i - 1], *high = &pools[i];

	return share_of(low) +
	       (share_of(high) - share_of(low)) * (dose - low->dose) / (high->dose - low->dose);
}

/* A fraction of n is a subject that counts less. */
static double draw_yes(const gsl_rng *rng, double n, double p)
{
	double whole = floor(n);
	double yes = whole > 0 ? gsl_ran_binomial(rng, p, (unsigned)whole) : 0;

	if (n > whole && gsl_rng_uniform(rng) < p)
		yes += n - whole;
	return yes;
}

static struct interval bootstrap(const struct quantal_data *d, struct quantal_point *pools, size_t n_pools,
				 const gsl_rng *rng)
{
	struct quantal_point *again cleanup_free = xcalloc(d->n, sizeof(*again));
	double *p cleanup_free = xcalloc(d->n, sizeof(*p));
	double halves[RESAMPLES];

	shrink_ends(pools, n_pools);
	for (size_t i = 0; i < d->n; i++)
		p[i] = curve_at(pools, n_pools, d->points[i].dose);
	for (size_t k = 0; k < RESAMPLES; k++) {
		for (size_t i = 0; i < d->n; i++) {
			again[i] = d->points[i];
			again[i].yes = draw_yes(rng, again[i].n, p[i]);
		}
		/* A curve that reaches no half among the doses counts as one that reaches it at their end. */
		halves[k] = fmin(fmax(find_half(again, pool(again, d->n, again)), d->points[0].dose),
				 d->points[d->n - 1].dose);
	}
	gsl_sort(halves, 1, RESAMPLES);
	return (struct interval){ gsl_stats_quantile_from_sorted_data(halves, 1, RESAMPLES, 0.025),
				  gsl_stats_quantile_from_sorted_data(halves, 1, RESAMPLES, 0.975) };
}

/*
 * An interval with no dose in it is narrower than anything that was asked: only the straight line makes it
 * so. It becomes the gap between the doses around it, as it is when answers are separated.
 */
static struct interval widened(const struct quantal_data *d, struct interval ci)
{
	size_t i = 0;

	while (i < d->n && d->points[i].dose < ci.lo)
		i++;
	if (i == 0 || i == d->n || d->points[i].dose <= ci.hi)
		return ci;
	return (struct interval){ d->points[i - 1].dose, d->points[i].dose };
}

void quantal_fit_isotonic(const struct quantal_point *points, size_t n, gsl_rng *rng,
			  struct quantal_isotonic *ret)
{
	struct quantal_data d cleanup(data_deinit);

	*ret = (struct quantal_isotonic){ (double)NAN, INTERVAL_NONE };
	data_init(&d, points, n);
	if (data_separation(&d) == QUANTAL_COMPLETE) {
		ret->ci = (struct interval){ d.no_hi, d.yes_lo };
		ret->ed50 = d.no_hi + (d.yes_lo - d.no_hi) / 2;
		return;
	}

	struct quantal_point *pools cleanup_free = xcalloc(d.n + 1, sizeof(*pools));
	size_t n_pools = pool(d.points, d.n, pools);
	double half = find_half(pools, n_pools);

	if (!isfinite(half))
		return;
	ret->ed50 = half;
	ret->ci = widened(&d, bootstrap(&d, pools, n_pools, rng));
}

/* --- Second opinions on Z* */

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
