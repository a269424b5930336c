/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The threshold search against a made guest: sharp, noisy, lying, without a threshold. How often its interval
 * holds the truth is in tests/sim/designs.c. What this cannot show is how real guests are noisy.
 */
#include <stdlib.h>

#include "calibrate/stats/search.h"
#include "tests/tap.h"

#define MIB   1024ull
#define MAX_N 200

static const struct search_params usual = {
	.lo_kib = 0,
	.hi_kib = 700 * MIB,
	.precision_kib = 512,
	.max_probes = 60,
	.ramp_ratio = SEARCH_RAMP_RATIO,
};

/* A guest that swaps when it is asked to hold more than the threshold. */
struct guest {
	double threshold_kib; /* INFINITY: never swaps */
	double noise_sd_kib;  /* of the threshold, logistic, drawn anew for each life */
	double wrong;         /* share of lives that answer the opposite */
	double ramp_factor;   /* the ramp sees its onset at threshold * ramp_factor */
	uint64_t random;
};

struct outcome {
	struct search_next end;
	struct search_probe probes[MAX_N];
	size_t n;
	unsigned fixed;
};

static double uniform(struct guest *g)
{
	/* xorshift64*; the upper bits, never 0 or 1. */
	g->random ^= g->random >> 12;
	g->random ^= g->random << 25;
	g->random ^= g->random >> 27;
	return ((double)(g->random * 2685821657736338717ull >> 12) + 0.5) / 0x1p52;
}

static double draw_threshold(struct guest *g)
{
	double u = uniform(g);

	/* The standard deviation of the standard logistic distribution is pi / sqrt(3). */
	return g->threshold_kib + g->noise_sd_kib * log(u / (1 - u)) * sqrt(3) / M_PI;
}

static struct search_probe live(struct guest *g, const struct search_params *p,
				const struct search_next *next)
{
	double threshold = draw_threshold(g);

	if (next->step == SEARCH_RAMP) {
		double z = threshold * g->ramp_factor;
		bool swapped = z <= (double)p->hi_kib;

		return (struct search_probe){ true, swapped ? (uint64_t)(z > 0 ? z : 0) : p->hi_kib,
					      swapped };
	}

	bool swapped = (double)next->z_kib > threshold;

	return (struct search_probe){ false, next->z_kib, uniform(g) < g->wrong ? !swapped : swapped };
}

/* Runs a search to its end; o->n stays below MAX_N when the search ends by itself. */
static void run(struct guest g, const struct search_params *p, struct outcome *o)
{
	o->n = o->fixed = 0;
	for (;;) {
		o->end = search_decide(p, o->probes, o->n);
		if ((o->end.step != SEARCH_RAMP && o->end.step != SEARCH_PROBE) || o->n == MAX_N)
			return;
		o->fixed += o->end.step == SEARCH_PROBE;
		o->probes[o->n++] = live(&g, p, &o->end);
	}
}

static unsigned times_asked(const struct outcome *o, uint64_t z_kib)
{
	unsigned n = 0;

	for (size_t i = 0; i < o->n; i++)
		n += !o->probes[i].is_ramp && o->probes[i].z_kib == z_kib;
	return n;
}

/* A finished search on clean answers: bracket and interval right, as narrow as asked, all Z on the grid. */
static bool is_perfect(const struct outcome *o, const struct search_params *p, double threshold_kib)
{
	const struct search_estimate *e = &o->end.estimate;

	for (size_t i = 0; i < o->n; i++) {
		uint64_t z = o->probes[i].z_kib;

		if (!o->probes[i].is_ramp && (z % p->precision_kib || z <= p->lo_kib || z > p->hi_kib))
			return false;
	}
	return o->end.step == SEARCH_DONE && (double)e->bracket_lo_kib <= threshold_kib &&
	       threshold_kib < (double)e->bracket_hi_kib && interval_has(e->ci_kib, threshold_kib) &&
	       e->ci_kib.hi - e->ci_kib.lo <= 2 * (double)p->precision_kib && e->contradictions == 0 &&
	       e->answers == o->fixed && interval_has(e->ci_kib, e->z_kib);
}

static void test_first_steps(void)
{
	struct search_probe a[] = { { true, 188 * MIB + 300, true },
				    { false, 188 * MIB + 512, true },
				    { false, 187 * MIB, false } };
	struct search_next next = search_decide(&usual, NULL, 0);

	is_int(next.step, SEARCH_RAMP, "a ramp comes first");
	is_int(next.estimate.bracket_lo_kib, 0, "without answers the bracket begins at lo");
	ok(next.estimate.bracket_hi_kib == UINT64_MAX, "and has no end");
	ok(isnan(next.estimate.z_kib) && isnan(next.estimate.ci_kib.lo), "and there is no estimate");

	next = search_decide(&usual, a, 1);
	is_int(next.step, SEARCH_PROBE, "then a fixed probe");
	ok(next.z_kib >= 187 * MIB && next.z_kib <= 187 * MIB + 512, "a little below the ramp, on the grid");
	is_near(next.estimate.z_kib, (188 * MIB + 300) / SEARCH_RAMP_RATIO, 64,
		"which is the first estimate");
	next = search_decide(&usual, a, 2);
	ok(next.z_kib < 188 * MIB && next.z_kib > 185 * MIB, "it swapped: ask lower, but not far");
	is_int(next.estimate.bracket_hi_kib, 188 * MIB + 512, "the bracket has an upper end");
	next = search_decide(&usual, a, 3);
	ok(next.z_kib > 187 * MIB && next.z_kib < 188 * MIB + 512, "one yes, one no: ask between them");
	is_int(next.estimate.bracket_lo_kib, 187 * MIB, "the bracket has both ends");

	a[1].swapped = false;
	next = search_decide(&usual, a, 2);
	ok(next.z_kib > 189 * MIB && next.z_kib < 192 * MIB, "the guess did not swap: ask higher");
}

static void test_sharp(void)
{
	static const double ramps[] = { 1, 0.9, 1.1, 0.98, 1.02, 0.5, 1.5 };
	struct outcome o;
	unsigned perfect = 0, runs = 0, most = 0;

	for (size_t r = 0; r < sizeof(ramps) / sizeof(ramps[0]); r++) {
		for (double z = 3000; z < (double)usual.hi_kib / 1.5; z += 19723.5) {
			run((struct guest){ .threshold_kib = z, .ramp_factor = ramps[r], .random = 1 },
			    &usual, &o);
			perfect += is_perfect(&o, &usual, z);
			runs++;
			most = o.fixed > most && ramps[r] == 1 ? o.fixed : most;
		}
	}
	is_int(perfect, runs, "sharp thresholds: bracket and interval right, whatever the ramp said");
	ok(most <= 10, "in at most 10 probes where the ramp was right");

	run((struct guest){ .threshold_kib = 200 * MIB, .ramp_factor = 1, .random = 1 }, &usual, &o);
	is_int(o.end.estimate.bracket_lo_kib, 200 * MIB,
	       "a threshold on the grid: holding exactly it is a no");

	struct search_params fine = usual;

	fine.precision_kib = 4;
	run((struct guest){ .threshold_kib = 191234.5, .ramp_factor = 1.01, .random = 1 }, &fine, &o);
	ok(is_perfect(&o, &fine, 191234.5), "a precision of one page");
	fine.hi_kib = 90000 * MIB;
	fine.precision_kib = 128 * MIB;
	run((struct guest){ .threshold_kib = 61234.5 * MIB, .ramp_factor = 1.01, .random = 1 }, &fine, &o);
	ok(is_perfect(&o, &fine, 61234.5 * MIB), "a guest of 64 GiB");
}

static void test_edges(void)
{
	struct search_params p = usual;
	struct outcome o;

	run((struct guest){ .threshold_kib = -1, .ramp_factor = 1, .random = 1 }, &p, &o);
	is_int(o.end.step, SEARCH_DONE, "a guest that always swaps: the lowest bracket");
	is_int(o.end.estimate.bracket_lo_kib, 0, "whose lower end is lo itself, never asked");
	is_int(o.end.estimate.bracket_hi_kib, 512, "and whose upper end is one step");

	run((struct guest){ .threshold_kib = INFINITY, .ramp_factor = 1, .random = 1 }, &p, &o);
	is_int(o.end.step, SEARCH_NO_THRESHOLD, "a guest that never swaps has no threshold");
	ok(times_asked(&o, p.hi_kib) >= 2, "hi was asked more than once");
	ok(o.fixed <= 4, "and not much else");
	ok(isinf(o.end.estimate.z_kib), "the estimate is above all that can be asked");

	run((struct guest){ .threshold_kib = 700 * MIB - 60, .ramp_factor = 1.1, .random = 1 }, &p, &o);
	ok(is_perfect(&o, &p, 700 * MIB - 60), "a ramp without onset, and hi swaps after all");

	struct search_probe liar[MAX_N] = { { true, 300 * MIB, true } };
	size_t n = 1;
	struct search_next next;

	while ((next = search_decide(&p, liar, n)).step == SEARCH_PROBE && n < MAX_N)
		liar[n++] = (struct search_probe){ false, next.z_kib, false };
	is_int(next.step, SEARCH_NO_THRESHOLD, "a ramp that swapped where nothing else does: no threshold");
	is_int(next.estimate.bracket_lo_kib, p.hi_kib, "up to hi");
	ok(n <= 25, "found out in at most 24 probes");

	p.hi_kib = 700 * MIB + 500;
	p.lo_kib = 50 * MIB + 17;
	run((struct guest){ .threshold_kib = 50 * MIB + 120, .ramp_factor = 1, .random = 1 }, &p, &o);
	ok(is_perfect(&o, &p, 50 * MIB + 120), "lo and hi off the grid: a threshold just above lo");
	run((struct guest){ .threshold_kib = 700 * MIB - 60, .ramp_factor = 1, .random = 1 }, &p, &o);
	ok(is_perfect(&o, &p, 700 * MIB - 60), "and one just below hi");
	run((struct guest){ .threshold_kib = 700 * MIB + 1, .ramp_factor = 1, .random = 1 }, &p, &o);
	is_int(o.end.step, SEARCH_NO_THRESHOLD, "above the last multiple there is nothing to ask");

	p.hi_kib = p.lo_kib + 10;
	is_int(search_decide(&p, NULL, 0).step, SEARCH_NO_THRESHOLD, "no multiple between lo and hi");
	p.hi_kib = 0;
	is_int(search_decide(&p, NULL, 0).step, SEARCH_NO_THRESHOLD, "hi below lo");
}

static void test_foreign_answers(void)
{
	struct search_probe a[] = {
		{ true, UINT64_MAX, true },
		{ false, UINT64_MAX, true },
		{ false, 0, true },
	};
	struct search_next next = search_decide(&usual, a, 3);

	ok(next.z_kib > usual.hi_kib / 2 && next.z_kib <= usual.hi_kib,
	   "a ramp far beyond hi: begin near hi");
	ok(next.estimate.bracket_lo_kib == 0 && next.estimate.bracket_hi_kib == UINT64_MAX,
	   "answers beyond hi and at lo do not count");
	is_int(next.estimate.answers, 0, "and are not among the answers");
	a[0].z_kib = 0;
	ok(search_decide(&usual, a, 1).z_kib <= 4 * MIB, "a ramp that swapped at once: begin low");

	struct search_probe off[] = { { true, 100 * MIB, true },
				      { false, 100 * MIB + 300, true },
				      { false, 98 * MIB + 900, false } };

	next = search_decide(&usual, off, 3);
	ok(next.z_kib > 98 * MIB + 900 && next.z_kib < 100 * MIB + 300,
	   "answers off the grid count: ask between them");
}

/* The threshold is 188.2 MiB, and an early answer far below it is wrong: memory responded late. */
static void test_recovers(void)
{
	struct search_probe a[MAX_N] = {
		{ true, 189 * MIB, true },
		{ false, 189 * MIB, true },
		{ false, 187 * MIB, false },
		{ false, 190 * MIB, false },
	};
	size_t n = 4;
	struct search_next next;

	while ((next = search_decide(&usual, a, n)).step == SEARCH_PROBE && n < MAX_N) {
		bool swapped = (double)next.z_kib > 188.2 * (double)MIB;

		a[n++] = (struct search_probe){ false, next.z_kib, swapped };
	}
	is_int(next.step, SEARCH_DONE, "the search recovers from a wrong answer");
	ok(interval_has(next.estimate.ci_kib, 188.2 * (double)MIB), "with the right interval");
	is_int(next.estimate.bracket_lo_kib, 188 * MIB, "the right lower end");
	is_int(next.estimate.bracket_hi_kib, 188 * MIB + 512, "and the right upper end");
	is_int(next.estimate.contradictions, 1, "and tells of one answer on the wrong side");
	ok(next.estimate.wrong > 0.03, "and that answers can be wrong");

	unsigned with = (unsigned)n;

	for (n = 3; (next = search_decide(&usual, a, n)).step == SEARCH_PROBE && n < MAX_N; n++)
		a[n] = (struct search_probe){ false, next.z_kib, (double)next.z_kib > 188.2 * (double)MIB };
	ok(with > n + 1, "for that it asked more than it would have without");
	ok(next.estimate.wrong < 0.03, "where all answers agree, few are thought wrong");
}

static void test_spread(void)
{
	struct search_params p = usual;
	struct outcome narrow, wide;

	p.precision_kib = 512;
	run((struct guest){ 188 * MIB, .noise_sd_kib = 20, .ramp_factor = 1, .random = 3 }, &p, &narrow);
	run((struct guest){ 188 * MIB, .noise_sd_kib = 1500, .ramp_factor = 1, .random = 1 }, &p, &wide);
	printf("# spreads %g %g\n", narrow.end.estimate.spread_kib, wide.end.estimate.spread_kib);
	ok(narrow.end.estimate.spread_kib < 300 && wide.end.estimate.spread_kib >= 512,
	   "the spread from boot to boot is told");
	ok(wide.fixed > narrow.fixed + 5, "and costs probes");
	ok(narrow.end.estimate.spread_hi_kib >= narrow.end.estimate.spread_kib,
	   "its upper bound is not below it");
}

static void test_gives_up(void)
{
	struct guest coin = { .threshold_kib = 188 * MIB, .wrong = 0.5, .ramp_factor = 1, .random = 8 };
	struct search_params p = usual;
	struct search_probe a[1] = { { true, 188 * MIB, true } };
	struct outcome o;

	p.max_probes = 25;
	run(coin, &p, &o);
	is_int(o.end.step, SEARCH_UNSTABLE, "answers by the toss of a coin: unstable");
	is_int(o.fixed, p.max_probes, "after exactly max_probes fixed probes");
	is_int(o.end.z_kib, 0, "with nothing more to ask");
	ok(o.end.estimate.contradictions > 5, "and with many contradictions");
	ok(o.end.estimate.ci_kib.hi - o.end.estimate.ci_kib.lo > 2 * (double)p.precision_kib,
	   "its interval says that it is not known well");

	p.max_probes = 0;
	is_int(search_decide(&p, a, 0).step, SEARCH_RAMP, "max_probes counts fixed probes only");
	is_int(search_decide(&p, a, 1).step, SEARCH_UNSTABLE, "max_probes 0: no fixed probe");
}

static void test_resume(void)
{
	struct guest g = {
		.threshold_kib = 187.4 * 1024, .noise_sd_kib = 300, .wrong = 0.1, .ramp_factor = 0.97
	};
	unsigned same = 0, steps = 0, shuffled = 0, ends = 0;

	for (g.random = 1; g.random <= 4; g.random++) {
		struct outcome o;

		run(g, &usual, &o);
		for (size_t k = 0; k < o.n; k++) {
			/* Whoever knows the first k answers asks what was asked next. */
			struct search_next next = search_decide(&usual, o.probes, k);

			steps++;
			same += (next.step == SEARCH_RAMP) == o.probes[k].is_ramp &&
				(o.probes[k].is_ramp || next.z_kib == o.probes[k].z_kib);
		}
		for (size_t i = 0; i < o.n / 2; i++) {
			struct search_probe t = o.probes[i];

			o.probes[i] = o.probes[o.n - 1 - i];
			o.probes[o.n - 1 - i] = t;
		}

		struct search_next again = search_decide(&usual, o.probes, o.n);

		ends++;
		shuffled += again.step == o.end.step &&
			    again.estimate.bracket_lo_kib == o.end.estimate.bracket_lo_kib &&
			    fabs(again.estimate.z_kib - o.end.estimate.z_kib) < 1e-6;
	}
	is_int(same, steps, "resumed after each prefix, the search asks the same");
	is_int(shuffled, ends, "answers in another order lead to the same end");
}

TAP_MAIN(test_first_steps, test_sharp, test_edges, test_foreign_answers, test_recovers, test_spread,
	 test_gives_up, test_resume)
