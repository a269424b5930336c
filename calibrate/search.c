/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/search.h"

#include <assert.h>
#include <math.h>

#include "calibrate/posterior.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

/*
 * Half of the prior lies so near the ramp's onset: real ramps were 0.3 to 1 % above Z* (X = 160 and 256 MiB).
 * The prior has long tails, so a ramp that was far off costs some more probes and nothing else.
 */
#define GUESS_SCALE_PCT 0.6

/*
 * How likely it is before any fixed probe that nothing up to hi swaps: small, when a ramp saw an onset; when
 * it saw none, even chances, so that it takes two answers and not one.
 */
#define ABOVE_AFTER_ONSET   0.01
#define ABOVE_WITHOUT_ONSET 0.5

/* Questions are weighed at so many places of the posterior, evenly by probability. */
#define CANDIDATES 31

/* The question of this search: its parameters, the answers that count, and what follows from both. */
struct search {
	const struct search_params *p;
	const struct search_probe *probes;
	size_t n;
	uint64_t lowest, highest; /* Z on the grid that may be asked */
	const struct search_probe *ramp;
};

DEFINE_CLEANUP(cleanup_posterior, struct posterior *, posterior_destroy)

static bool is_answer(const struct search *s, const struct search_probe *probe)
{
	return !probe->is_ramp && probe->z_kib >= s->lowest && probe->z_kib <= s->highest;
}

/* The bracket around the cut "swaps from Z = cut on", and the answers on the wrong side of it. */
static struct search_estimate bracket_at(const struct search *s, uint64_t cut)
{
	struct search_estimate b = { .bracket_lo_kib = s->p->lo_kib, .bracket_hi_kib = UINT64_MAX };

	for (size_t i = 0; i < s->n; i++) {
		const struct search_probe *probe = &s->probes[i];
		bool is_above = probe->z_kib >= cut;

		if (!is_answer(s, probe))
			continue;
		b.answers++;
		if (is_above && probe->z_kib < b.bracket_hi_kib)
			b.bracket_hi_kib = probe->z_kib;
		if (!is_above && probe->z_kib > b.bracket_lo_kib)
			b.bracket_lo_kib = probe->z_kib;
		b.contradictions += probe->swapped != is_above;
	}
	return b;
}

/* The bracket of the best cut. Quadratic, for some tens of answers that each cost seconds. */
static struct search_estimate find_bracket(const struct search *s)
{
	struct search_estimate best = bracket_at(s, UINT64_MAX);

	for (size_t i = 0; i < s->n; i++) {
		if (!is_answer(s, &s->probes[i]))
			continue;

		struct search_estimate b = bracket_at(s, s->probes[i].z_kib);

		if (b.contradictions < best.contradictions ||
		    (b.contradictions == best.contradictions && b.bracket_hi_kib < best.bracket_hi_kib))
			best = b;
	}
	return best;
}

static struct posterior_params prior_of(const struct search *s)
{
	uint64_t z = s->ramp->swapped ? s->ramp->z_kib : s->highest;
	double guess = (double)(z < s->lowest ? s->lowest : z > s->highest ? s->highest : z);

	return (struct posterior_params){
		.lo_kib = (double)s->p->lo_kib,
		.hi_kib = (double)s->highest,
		.guess_kib = guess,
		.guess_scale_kib = fmax(guess * GUESS_SCALE_PCT / 100, (double)s->p->precision_kib),
		.above = s->ramp->swapped ? ABOVE_AFTER_ONSET : ABOVE_WITHOUT_ONSET,
		.precision_kib = (double)s->p->precision_kib,
	};
}

/* Answers at the same Z together, which makes no difference but in time. */
static void count_answer(struct posterior_answer *answers, size_t *n, const struct search_probe *probe)
{
	size_t i = 0;

	while (i < *n && answers[i].z_kib != (double)probe->z_kib)
		i++;
	*n += i == *n;
	answers[i].z_kib = (double)probe->z_kib;
	*(probe->swapped ? &answers[i].yes : &answers[i].no) += 1;
}

static struct posterior *make_posterior(const struct search *s)
{
	struct posterior_params params = prior_of(s);
	cleanup_free struct posterior_answer *answers = xcalloc(s->n, sizeof(*answers));
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (is_answer(s, &s->probes[i]))
			count_answer(answers, &n, &s->probes[i]);
	return posterior_create(&params, answers, n);
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

static enum search_step decide_step(const struct search *s, const struct posterior *posterior,
				    const struct search_estimate *e)
{
	if (posterior_above(posterior) >= 0.975)
		return SEARCH_NO_THRESHOLD;
	if (e->ci_kib.hi - e->ci_kib.lo <= 2 * (double)s->p->precision_kib)
		return SEARCH_DONE;
	return e->answers < s->p->max_probes ? SEARCH_PROBE : SEARCH_UNSTABLE;
}

struct search_next search_decide(const struct search_params *p, const struct search_probe *probes, size_t n)
{
	assert(p->precision_kib > 0);

	struct search s = {
		.p = p,
		.probes = probes,
		.n = n,
		.lowest = (p->lo_kib / p->precision_kib + 1) * p->precision_kib,
		.highest = p->hi_kib / p->precision_kib * p->precision_kib,
	};
	struct search_next next = { .step = SEARCH_NO_THRESHOLD, .estimate = find_bracket(&s) };

	next.estimate.z_kib = next.estimate.se_kib = next.estimate.spread_kib = next.estimate.spread_hi_kib =
		next.estimate.wrong = NAN;
	next.estimate.ci_kib = INTERVAL_NONE;
	if (s.lowest > s.highest)
		return next;
	for (size_t i = 0; i < n; i++)
		if (probes[i].is_ramp)
			s.ramp = &probes[i];
	if (!s.ramp) {
		next.step = SEARCH_RAMP;
		return next;
	}

	cleanup(cleanup_posterior_) struct posterior *posterior = make_posterior(&s);

	estimate(posterior, &next.estimate);
	next.step = decide_step(&s, posterior, &next.estimate);
	if (next.step == SEARCH_PROBE)
		next.z_kib = best_question(&s, posterior);
	return next;
}
