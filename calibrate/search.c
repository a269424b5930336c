/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/search.h"

#include <assert.h>

/* The first step away from the guess: a ramp of the usual rate misses the threshold by 1-2 %. */
#define FIRST_STEP_PCT         2
#define FIRST_STEP_RESOLUTIONS 4

/* The question of this search: its parameters, the answers that count, and what follows from both. */
struct search {
	const struct search_params *p;
	const struct search_probe *probes;
	size_t n;
	uint64_t lowest, highest; /* Z on the grid that may be asked */
	uint64_t guess;
};

struct tally {
	unsigned yes, no;
};

/* The asked Z around the estimate. */
struct bracket {
	bool has_lo, has_hi;
	uint64_t lo, hi;
	unsigned contradictions;
};

static bool is_answer(const struct search *s, const struct search_probe *probe)
{
	return !probe->is_ramp && probe->z_kib >= s->lowest && probe->z_kib <= s->highest;
}

static struct tally answers_at(const struct search *s, uint64_t z_kib)
{
	struct tally t = { 0, 0 };

	for (size_t i = 0; i < s->n; i++) {
		if (!is_answer(s, &s->probes[i]) || s->probes[i].z_kib != z_kib)
			continue;
		if (s->probes[i].swapped)
			t.yes++;
		else
			t.no++;
	}
	return t;
}

static unsigned count_answers(const struct search *s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += is_answer(s, &s->probes[i]);
	return n;
}

/* The asked Z next to the cut "swaps from Z = cut on", and the answers on the wrong side of it. */
static struct bracket bracket_at(const struct search *s, uint64_t cut)
{
	struct bracket b = { .lo = s->p->lo_kib, .hi = UINT64_MAX };

	for (size_t i = 0; i < s->n; i++) {
		const struct search_probe *probe = &s->probes[i];
		bool is_above = probe->z_kib >= cut;

		if (!is_answer(s, probe))
			continue;
		if (is_above && probe->z_kib <= b.hi) {
			b.has_hi = true;
			b.hi = probe->z_kib;
		}
		if (!is_above && probe->z_kib >= b.lo) {
			b.has_lo = true;
			b.lo = probe->z_kib;
		}
		b.contradictions += probe->swapped != is_above;
	}
	return b;
}

/* The bracket of the best cut. Quadratic, for some tens of answers that each cost seconds. */
static struct bracket find_bracket(const struct search *s)
{
	struct bracket best = bracket_at(s, UINT64_MAX);

	for (size_t i = 0; i < s->n; i++) {
		if (!is_answer(s, &s->probes[i]))
			continue;

		struct bracket b = bracket_at(s, s->probes[i].z_kib);

		if (b.contradictions < best.contradictions ||
		    (b.contradictions == best.contradictions && b.hi < best.hi))
			best = b;
	}
	return best;
}

/* Where the search starts; 0 without a ramp. */
static uint64_t find_guess(const struct search *s)
{
	uint64_t guess = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (!s->probes[i].is_ramp)
			continue;

		uint64_t z = s->probes[i].swapped ? s->probes[i].z_kib : s->highest;

		z = z < s->lowest ? s->lowest : z > s->highest ? s->highest : z;
		guess = z - z % s->p->resolution_kib;
	}
	return guess;
}

/* How far the next question lies beyond z, the outermost answer so far. */
static uint64_t step_from(const struct search *s, uint64_t z)
{
	uint64_t res = s->p->resolution_kib;
	uint64_t first = (s->guess / 100 * FIRST_STEP_PCT + res - 1) / res * res;
	uint64_t distance = z > s->guess ? z - s->guess : s->guess - z;

	if (first < FIRST_STEP_RESOLUTIONS * res)
		first = FIRST_STEP_RESOLUTIONS * res;
	return distance > first ? distance : first;
}

/* The multiple of the resolution in the middle of lo < hi; there is one between them. */
static uint64_t middle(const struct search *s, uint64_t lo, uint64_t hi)
{
	uint64_t z = lo + (hi - lo) / 2;

	z -= z % s->p->resolution_kib;
	return z > lo ? z : z + s->p->resolution_kib;
}

static uint64_t step_up(const struct search *s, uint64_t lo)
{
	uint64_t step = step_from(s, lo);
	uint64_t z = step < s->highest - lo ? lo + step : s->highest;

	return z - z % s->p->resolution_kib;
}

/* Below the lowest Z lies p->lo_kib, which does not swap: no need to ask at the border itself. */
static uint64_t step_down(const struct search *s, uint64_t hi)
{
	uint64_t step = step_from(s, hi);
	uint64_t z = step < hi - s->lowest ? hi - step : middle(s, s->p->lo_kib, hi);

	return z - z % s->p->resolution_kib;
}

/* The end of a full bracket with too few answers, or 0. An end that was never asked is one by assumption. */
static uint64_t unverified_end(const struct search *s, const struct bracket *b)
{
	struct tally lo = answers_at(s, b->lo), hi = answers_at(s, b->hi);
	unsigned lo_missing = b->has_lo && lo.yes + lo.no < s->p->verify ? s->p->verify - lo.yes - lo.no : 0;
	unsigned hi_missing = b->has_hi && hi.yes + hi.no < s->p->verify ? s->p->verify - hi.yes - hi.no : 0;

	if (lo_missing == 0 && hi_missing == 0)
		return 0;
	return lo_missing > hi_missing ? b->lo : b->hi;
}

/* The Z to ask next, or 0 when all is known. */
static uint64_t next_question(const struct search *s, const struct bracket *b)
{
	struct tally lo = answers_at(s, b->lo), hi = answers_at(s, b->hi);

	if (!b->has_lo && !b->has_hi)
		return s->guess;
	if (b->has_lo && lo.yes == lo.no)
		return b->lo;
	if (b->has_hi && hi.yes == hi.no)
		return b->hi;
	if (!b->has_hi && b->lo < s->highest)
		return step_up(s, b->lo);
	if (!b->has_lo && b->hi > s->lowest)
		return step_down(s, b->hi);
	if (b->has_hi && b->hi - b->lo > s->p->resolution_kib)
		return middle(s, b->lo, b->hi);
	return unverified_end(s, b);
}

static enum search_step decide_step(const struct search *s, const struct bracket *b, uint64_t question)
{
	if (question == 0)
		return b->has_hi ? SEARCH_DONE : SEARCH_NO_THRESHOLD;
	return count_answers(s) < s->p->max_probes ? SEARCH_PROBE : SEARCH_UNSTABLE;
}

struct search_next search_decide(const struct search_params *p, const struct search_probe *probes, size_t n)
{
	assert(p->resolution_kib > 0 && p->verify > 0);

	struct search s = {
		.p = p,
		.probes = probes,
		.n = n,
		.lowest = (p->lo_kib / p->resolution_kib + 1) * p->resolution_kib,
		.highest = p->hi_kib / p->resolution_kib * p->resolution_kib,
	};
	struct search_next next = { .step = SEARCH_NO_THRESHOLD, .lo_kib = p->lo_kib, .hi_kib = UINT64_MAX };

	if (s.lowest > s.highest)
		return next;
	s.guess = find_guess(&s);
	if (s.guess == 0) {
		next.step = SEARCH_RAMP;
		return next;
	}

	struct bracket b = find_bracket(&s);
	uint64_t question = next_question(&s, &b);

	next.step = decide_step(&s, &b, question);
	next.z_kib = next.step == SEARCH_PROBE ? question : 0;
	next.lo_kib = b.lo;
	next.hi_kib = b.hi;
	next.contradictions = b.contradictions;
	return next;
}
