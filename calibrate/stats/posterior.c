/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/stats/posterior.h"

#include <assert.h>
#include <gsl/gsl_sort_double.h>
#include <math.h>
#include <stdlib.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

/*
 * The grids. Spreads go from an eighth of the precision, where a guest looks sharp, to eight times as much,
 * where a precise answer takes hundreds of guests. Wrong answers: from next to none to a third, where little
 * can be found out.
 */
#define SPREADS 7
#define WRONGS  6

static const double spread_precisions[SPREADS] = { 0.125, 0.25, 0.5, 1, 2, 4, 8 };
static const double spread_prior[SPREADS] = { 1.5, 5, 6, 2.5, 1.5, 0.8, 0.3 };
static const double wrongs[WRONGS] = { 0.003, 0.02, 0.06, 0.12, 0.2, 0.3 };
static const double wrong_prior[WRONGS] = { 10, 2, 0.7, 0.5, 0.4, 0.2 };

/* Parts of the threshold's prior: one is spread evenly over the range, one lies below it. */
#define PRIOR_EVEN  0.02
#define PRIOR_BELOW 0.005

/*
 * The grid of thresholds is fine near each Z that was asked, where the likelihood changes, and coarse
 * elsewhere: cells grow by this factor away from each Z, and the first is this part of the precision.
 */
#define CELL_GROWTH 1.3
#define CELL_FIRST  0.0625

struct posterior {
	size_t n;       /* cells of the threshold; the first is below lo, the last above hi */
	double *edges;  /* n - 1: cell i lies from edges[i - 1] to edges[i] */
	double *weight; /* n: marginal probability */
	double *joint;  /* n * SPREADS: of threshold and spread */
	double *wrong;  /* n * SPREADS: expected share of wrong answers given both */
	double scales[SPREADS];
	double evidence; /* see posterior_evidence() */
};

/* Adds edges in (from, to]: steps that grow from both ends to the middle. */
static void add_edges(struct posterior *p, size_t *cap, double from, double to, double first)
{
	double half = (to - from) / 2;
	size_t begin = p->n;

	for (double at = 0, step = first; at + step < half; at += step, step *= CELL_GROWTH)
		*array_push(p->edges, p->n, *cap) = from + at + step;

	size_t end = p->n;

	*array_push(p->edges, p->n, *cap) = from + half;
	for (size_t i = end; i-- > begin;) {
		double mirrored = to - (p->edges[i] - from);

		*array_push(p->edges, p->n, *cap) = mirrored;
	}
	*array_push(p->edges, p->n, *cap) = to;
}

static void make_edges(struct posterior *p, const struct posterior_params *params,
		       const struct posterior_answer *answers, size_t n)
{
	cleanup_free double *anchors = xmalloc((n + 3) * sizeof(*anchors));
	double first = CELL_FIRST * params->precision_kib;
	size_t cap = 0;

	for (size_t i = 0; i < n; i++)
		anchors[i] = fmin(fmax(answers[i].z_kib, params->lo_kib), params->hi_kib);
	anchors[n] = params->lo_kib;
	anchors[n + 1] = params->guess_kib;
	anchors[n + 2] = params->hi_kib;
	gsl_sort(anchors, 1, n + 3);
	*array_push(p->edges, p->n, cap) = params->lo_kib;
	for (size_t i = 0; i + 1 < n + 3; i++)
		if (anchors[i + 1] > anchors[i])
			add_edges(p, &cap, anchors[i], anchors[i + 1], first);
	p->n++; /* cells, with the two outside */
}

static double cauchy_below(const struct posterior_params *params, double t)
{
	return atan((t - params->guess_kib) / params->guess_scale_kib) / M_PI;
}

static double prior_of(const struct posterior *p, const struct posterior_params *params, size_t cell)
{
	double inside = 1 - PRIOR_BELOW - params->above;

	if (cell == 0)
		return PRIOR_BELOW;
	if (cell == p->n - 1)
		return params->above;

	double from = p->edges[cell - 1], to = p->edges[cell];
	double cauchy = (cauchy_below(params, to) - cauchy_below(params, from)) /
			(cauchy_below(params, params->hi_kib) - cauchy_below(params, params->lo_kib));

	return inside *
	       (PRIOR_EVEN * (to - from) / (params->hi_kib - params->lo_kib) + (1 - PRIOR_EVEN) * cauchy);
}

/* The threshold that stands for a cell; beyond the ends by so much that only wrong answers say otherwise. */
static double middle_of(const struct posterior *p, size_t cell)
{
	if (cell == 0)
		return -INFINITY;
	return cell == p->n - 1 ? (double)INFINITY : (p->edges[cell - 1] + p->edges[cell]) / 2;
}

/* That far from the threshold, in scales, a share of 0 or 1 is exact beside the smallest share of wrong
 * answers. */
#define FAR 60

static double swaps(double z, double threshold, double scale)
{
	double distance = (threshold - z) / scale;

	if (fabs(distance) > FAR)
		return distance < 0;
	return 1 / (1 + exp(distance));
}

/*
 * A number that may be too small for a double: product * exp(log_part). Logarithms take time, so one is taken
 * only when the product comes near the smallest number, after some hundred answers.
 */
struct tiny {
	double product, log_part;
};

static void multiply(struct tiny *t, double by)
{
	t->product *= by;
	if (t->product < 1e-200) {
		t->log_part += log(t->product);
		t->product = 1;
	}
}

/* The likelihood of all answers for each share of wrong ones, times what is there already. */
static void multiply_likelihood(const struct posterior_answer *answers, size_t n, double threshold,
				double scale, struct tiny ret[WRONGS])
{
	for (size_t i = 0; i < n; i++) {
		double right = swaps(answers[i].z_kib, threshold, scale);

		for (int w = 0; w < WRONGS; w++) {
			double yes = wrongs[w] + (1 - 2 * wrongs[w]) * right;

			for (unsigned k = 0; k < answers[i].yes; k++)
				multiply(&ret[w], yes);
			for (unsigned k = 0; k < answers[i].no; k++)
				multiply(&ret[w], 1 - yes);
		}
	}
}

/* Prior times likelihood on the whole grid. */
static struct tiny *make_joint(const struct posterior *p, const struct posterior_params *params,
			       const struct posterior_answer *answers, size_t n)
{
	struct tiny *joint = xcalloc(p->n * SPREADS * WRONGS, sizeof(*joint));

	for (size_t i = 0; i < p->n; i++) {
		double prior = prior_of(p, params, i);

		for (int s = 0; s < SPREADS; s++) {
			struct tiny *at = &joint[(i * SPREADS + (size_t)s) * WRONGS];

			for (int w = 0; w < WRONGS; w++)
				at[w].product = prior * spread_prior[s] * wrong_prior[w];
			multiply_likelihood(answers, n, middle_of(p, i), p->scales[s], at);
		}
	}
	return joint;
}

static double sum_of(const double *v, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += v[i];
	return sum;
}

static double largest_part(const struct tiny *joint, size_t n)
{
	double largest = -INFINITY;

	for (size_t i = 0; i < n; i++)
		largest = fmax(largest, joint[i].log_part);
	return largest;
}

/* Probabilities, summed over what is asked for. */
static void normalise(struct posterior *p, const struct tiny *joint)
{
	double largest = largest_part(joint, p->n * SPREADS * WRONGS), sum = 0;

	for (size_t i = 0; i < p->n * SPREADS; i++) {
		double wrong = 0;

		for (int w = 0; w < WRONGS; w++) {
			const struct tiny *t = &joint[i * WRONGS + (size_t)w];
			double probability =
				t->product * (t->log_part < largest ? exp(t->log_part - largest) : 1);

			p->joint[i] += probability;
			wrong += probability * wrongs[w];
		}
		p->wrong[i] = p->joint[i] > 0 ? wrong / p->joint[i] : 0;
		sum += p->joint[i];
	}
	p->evidence = log(sum / sum_of(spread_prior, SPREADS) / sum_of(wrong_prior, WRONGS)) + largest;
	for (size_t i = 0; i < p->n * SPREADS; i++) {
		p->joint[i] /= sum;
		p->weight[i / SPREADS] += p->joint[i];
	}
}

struct posterior *posterior_create(const struct posterior_params *params,
				   const struct posterior_answer *answers, size_t n)
{
	struct posterior *p = xcalloc(1, sizeof(*p));

	assert(params->lo_kib < params->guess_kib && params->guess_kib <= params->hi_kib);
	make_edges(p, params, answers, n);
	p->weight = xcalloc(p->n, sizeof(*p->weight));
	p->joint = xcalloc(p->n * SPREADS, sizeof(*p->joint));
	p->wrong = xcalloc(p->n * SPREADS, sizeof(*p->wrong));
	/* The standard deviation of the standard logistic distribution is pi / sqrt(3). */
	for (int s = 0; s < SPREADS; s++)
		p->scales[s] = spread_precisions[s] * params->precision_kib * sqrt(3) / M_PI;

	cleanup_free struct tiny *joint = make_joint(p, params, answers, n);

	normalise(p, joint);
	for (size_t i = 0; i < n; i++)
		p->evidence += (answers[i].yes + answers[i].no) * M_LN2;
	return p;
}

void posterior_destroy(struct posterior *p)
{
	free(p->edges);
	free(p->weight);
	free(p->joint);
	free(p->wrong);
	free(p);
}

double posterior_quantile(const struct posterior *p, double q)
{
	double below = p->weight[0];

	if (q <= below)
		return p->edges[0];
	for (size_t i = 1; i + 1 < p->n; i++) {
		double w = p->weight[i];

		if (below + w >= q)
			return p->edges[i - 1] + (p->edges[i] - p->edges[i - 1]) * (q - below) / w;
		below += w;
	}
	return INFINITY;
}

double posterior_above(const struct posterior *p)
{
	return p->weight[p->n - 1];
}

double posterior_spread_quantile(const struct posterior *p, double q)
{
	double below = 0;
	int s = 0;

	for (; s < SPREADS - 1; s++) {
		for (size_t i = 0; i < p->n; i++)
			below += p->joint[i * SPREADS + (size_t)s];
		if (below >= q)
			break;
	}
	return p->scales[s] * M_PI / sqrt(3);
}

double posterior_wrong(const struct posterior *p)
{
	double sum = 0;

	for (size_t i = 0; i < p->n * SPREADS; i++)
		sum += p->joint[i] * p->wrong[i];
	return sum;
}

double posterior_evidence(const struct posterior *p)
{
	return p->evidence;
}

static double entropy(double yes)
{
	return yes > 0 && yes < 1 ? -yes * log(yes) - (1 - yes) * log1p(-yes) : 0;
}

/* The probability that the threshold is in that cell and a guest swaps at z; 0 of cells that hardly count. */
static double yes_in(const struct posterior *p, size_t cell, double z_kib)
{
	double yes = 0;

	for (int s = 0; s < SPREADS && p->weight[cell] >= 1e-9; s++) {
		size_t at = cell * SPREADS + (size_t)s;
		double right = swaps(z_kib, middle_of(p, cell), p->scales[s]);

		yes += p->joint[at] * (p->wrong[at] + (1 - 2 * p->wrong[at]) * right);
	}
	return yes;
}

double posterior_yes(const struct posterior *p, double z_kib)
{
	double yes = 0;

	for (size_t i = 0; i < p->n; i++)
		yes += yes_in(p, i, z_kib);
	return yes;
}

double posterior_information(const struct posterior *p, double z_kib)
{
	double yes = 0, given = 0;

	for (size_t i = 0; i < p->n; i++) {
		double here = yes_in(p, i, z_kib);

		yes += here;
		given += here > 0 ? p->weight[i] * entropy(here / p->weight[i]) : 0;
	}
	return entropy(yes) - given;
}
