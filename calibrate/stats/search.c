/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/stats/search.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "calibrate/stats/posterior.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

/*
 * Half of the prior lies this near to the guess: real ramps were 0.4 to 0.6 % above Z* (X = 160 and 256 MiB),
 * and 1.9 % with huge pages. The prior has long tails, so a ramp that was far off costs some more probes and
 * nothing else. What questions can tell apart is no less than half a precision.
 */
#define GUESS_SCALE_PCT 0.3

/* The usual ratio of ramps counts as much as that of so many searches. */
#define RATIO_SEARCHES 2

/*
 * A search that ends has answers so many times as likely as if they were by the toss of a coin. So a guest
 * that answers by one ends as if it had a threshold in a third of searches at most, and in a fifth in
 * simulation; with 4 it would take half a probe more.
 */
#define EVIDENCE_MIN 3

/* So many answers may be under way when one more is asked for. */
#define PENDING_MAX 3

/*
 * How likely it is before any fixed probe that nothing up to hi swaps: unlikely when a ramp saw an onset.
 * When it saw none, chances are even, so that two answers are needed and not one.
 */
#define ABOVE_AFTER_ONSET   0.01
#define ABOVE_WITHOUT_ONSET 0.5

/* So many quantiles of the posterior are considered for the next question, evenly by probability. */
#define CANDIDATES 31

/*
 * More different Z than any search asks. Of more only the lowest count, so that answers that no search made
 * cost little time.
 */
#define ANSWERS_MAX 512

/* The question of this search: its parameters, the answers that count, and what follows from both. */
struct search {
	const struct search_params *p;
	uint64_t lowest, highest; /* Z on the grid that may be asked */
	const struct search_probe *ramp;
	struct posterior_answer *answers; /* by Z, each Z once; then room for those under way */
	size_t n;
};

static int by_z(const void *a, const void *b)
{
	double x = ((const struct posterior_answer *)a)->z_kib,
	       y = ((const struct posterior_answer *)b)->z_kib;

	return (x > y) - (x < y);
}

/* The fixed-Z answers that count: sorted, those at the same Z together. */
static void collect_answers(struct search *s, const struct search_probe *probes, size_t n)
{
	size_t all = 0;

	s->answers = xcalloc(n + s->p->pending_n, sizeof(*s->answers));
	for (size_t i = 0; i < n; i++)
		if (!probes[i].is_ramp && probes[i].z_kib >= s->lowest && probes[i].z_kib <= s->highest)
			s->answers[all++] = (struct posterior_answer){ .z_kib = (double)probes[i].z_kib,
								       .yes = probes[i].swapped,
								       .no = !probes[i].swapped };
	if (all)
		qsort(s->answers, all, sizeof(*s->answers), by_z);
	for (size_t i = 0; i < all; i++) {
		struct posterior_answer *last = s->n ? &s->answers[s->n - 1] : NULL;

		if (last && last->z_kib == s->answers[i].z_kib) {
			last->yes += s->answers[i].yes;
			last->no += s->answers[i].no;
		} else if (s->n < ANSWERS_MAX) {
			s->answers[s->n++] = s->answers[i];
		}
	}
}

/* The bracket around the cut that has the fewest answers on its wrong side, the lowest of equal ones. */
static void find_bracket(const struct search *s, struct search_estimate *e)
{
	unsigned contradictions = 0;
	size_t cut = 0;

	for (size_t i = 0; i < s->n; i++) {
		contradictions += s->answers[i].no;
		e->answers += s->answers[i].yes + s->answers[i].no;
	}
	/* Below all answers each "no" is wrong; every step up makes the "no" it passes right, and the "yes"
	 * wrong. */
	e->contradictions = contradictions;
	for (size_t i = 0; i < s->n; i++) {
		contradictions += s->answers[i].yes - s->answers[i].no;
		if (contradictions < e->contradictions) {
			e->contradictions = contradictions;
			cut = i + 1;
		}
	}
	e->bracket_lo_kib = cut ? (uint64_t)s->answers[cut - 1].z_kib : s->p->lo_kib;
	e->bracket_hi_kib = cut < s->n ? (uint64_t)s->answers[cut].z_kib : UINT64_MAX;
}

static struct posterior *create_posterior(const struct search *s, double ramp_ratio)
{
	double z = s->ramp->swapped ? (double)s->ramp->z_kib / ramp_ratio : (double)s->highest;
	double guess = fmin(fmax(z, (double)s->lowest), (double)s->highest);
	double precision = (double)s->p->precision_kib;

	struct posterior_params prior = {
		.lo_kib = (double)s->p->lo_kib,
		.hi_kib = (double)s->highest,
		.guess_kib = guess,
		.guess_scale_kib = fmax(guess * GUESS_SCALE_PCT / 100, precision / 2),
		.above = s->ramp->swapped ? ABOVE_AFTER_ONSET : ABOVE_WITHOUT_ONSET,
		.precision_kib = precision,
	};

	return posterior_create(&prior, s->answers, s->n);
}

static void estimate(const struct posterior *posterior, struct search_estimate *e)
{
	e->z_kib = posterior_quantile(posterior, 0.5);
	e->ci_kib.lo = posterior_quantile(posterior, 0.025);
	e->ci_kib.hi = posterior_quantile(posterior, 0.975);
	e->se_kib = (e->ci_kib.hi - e->ci_kib.lo) / 4;
	e->spread_kib = posterior_spread_quantile(posterior, 0.5);
	e->spread_hi_kib = posterior_spread_quantile(posterior, 0.95);
	e->wrong = posterior_wrong(posterior);
}

/* The multiple of the precision next to z that may be asked. */
static uint64_t on_grid(const struct search *s, double z)
{
	double step = (double)s->p->precision_kib;

	if (!(z < (double)s->highest))
		return s->highest;
	return z < (double)s->lowest ? s->lowest : (uint64_t)round(z / step) * s->p->precision_kib;
}

static uint64_t best_question(const struct search *s, const struct posterior *posterior)
{
	uint64_t best = 0, last = 0;
	double most = -INFINITY;

	for (int i = 1; i <= CANDIDATES; i++) {
		uint64_t z = on_grid(s, posterior_quantile(posterior, (double)i / (CANDIDATES + 1)));
		double information = z == last ? -INFINITY : posterior_information(posterior, z);

		last = z;
		if (information > most) {
			most = information;
			best = z;
		}
	}
	return best;
}

static bool is_precise(const struct search *s, const struct search_estimate *e)
{
	return e->ci_kib.hi - e->ci_kib.lo <= 2 * (double)s->p->precision_kib;
}

/* What follows from the answers. It does not depend on what other searches found. */
static enum search_step conclude(const struct search *s, struct search_estimate *e)
{
	cleanup(cleanup_posterior_) struct posterior *posterior = create_posterior(s, SEARCH_RAMP_RATIO);

	estimate(posterior, e);
	if (posterior_above(posterior) >= 0.975)
		return SEARCH_NO_THRESHOLD;
	if (is_precise(s, e) && posterior_evidence(posterior) >= log(EVIDENCE_MIN))
		return SEARCH_DONE;
	return e->answers < s->p->max_probes ? SEARCH_PROBE : SEARCH_UNSTABLE;
}

/* Where the threshold is known, its two sides by turns, where the answers should be clear. */
static uint64_t question(const struct search *s, const struct search_estimate *e)
{
	cleanup(cleanup_posterior_) struct posterior *posterior = create_posterior(s, s->p->ramp_ratio);
	double step = (double)s->p->precision_kib;

	if (is_precise(s, e))
		return on_grid(s, e->answers % 2 ? e->ci_kib.lo - step : e->ci_kib.hi + step);
	return best_question(s, posterior);
}

/* Adds the likeliest answer of each probe under way. */
static void assume_pending(struct search *s)
{
	for (size_t i = 0; i < s->p->pending_n; i++) {
		cleanup(cleanup_posterior_) struct posterior *posterior =
			create_posterior(s, s->p->ramp_ratio);
		double z = (double)s->p->pending_kib[i];
		bool yes = posterior_yes(posterior, z) > 0.5;

		s->answers[s->n++] = (struct posterior_answer){ z, yes, !yes };
	}
}

/* What follows from a ramp, the answers, and those under way. */
static void decide(struct search *s, struct search_next *next)
{
	next->step = conclude(s, &next->estimate);
	if (next->step != SEARCH_PROBE || s->p->pending_n > PENDING_MAX)
		return;

	struct search_estimate expected = next->estimate;

	assume_pending(s);
	expected.answers += (unsigned)s->p->pending_n;
	if (!s->p->pending_n || conclude(s, &expected) == SEARCH_PROBE)
		next->z_kib = question(s, &expected);
}

double search_ramp_ratio(double sum, unsigned n)
{
	return (RATIO_SEARCHES * SEARCH_RAMP_RATIO + sum) / (RATIO_SEARCHES + n);
}

struct search_next search_decide(const struct search_params *p, const struct search_probe *probes, size_t n)
{
	assert(p->precision_kib > 0);

	struct search s = {
		.p = p,
		.lowest = (p->lo_kib / p->precision_kib + 1) * p->precision_kib,
		.highest = p->hi_kib / p->precision_kib * p->precision_kib,
	};
	struct search_next next = { .step = SEARCH_NO_THRESHOLD,
				    .estimate = { .z_kib = NAN,
						  .ci_kib = INTERVAL_NONE,
						  .se_kib = NAN,
						  .spread_kib = NAN,
						  .spread_hi_kib = NAN,
						  .wrong = NAN } };

	collect_answers(&s, probes, n);
	find_bracket(&s, &next.estimate);
	for (size_t i = 0; i < n; i++)
		if (probes[i].is_ramp)
			s.ramp = &probes[i];
	if (s.lowest <= s.highest && s.ramp)
		decide(&s, &next);
	else if (s.lowest <= s.highest)
		next.step = SEARCH_RAMP;
	free(s.answers);
	return next;
}
