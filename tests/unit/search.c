/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The threshold search against a made guest: sharp, noisy, lying, without a threshold. What this cannot show
 * is how real guests are noisy; the numbers of right answers below are for the noise written beside them.
 */
#include <math.h>
#include <stdlib.h>

#include "calibrate/search.h"
#include "tests/tap.h"

#define MIB   1024ull
#define MAX_N 200

static const struct search_params usual = {
	.lo_kib = 0,
	.hi_kib = 700 * MIB,
	.resolution_kib = MIB,
	.verify = 2,
	.max_probes = 60,
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

static bool holds(const struct outcome *o, double threshold_kib)
{
	return o->end.step == SEARCH_DONE && (double)o->end.lo_kib <= threshold_kib &&
	       threshold_kib < (double)o->end.hi_kib;
}

/* A finished search on clean answers: bracket right, as narrow as asked, verified, on the grid. */
static bool is_perfect(const struct outcome *o, const struct search_params *p, double threshold_kib)
{
	for (size_t i = 0; i < o->n; i++) {
		uint64_t z = o->probes[i].z_kib;

		if (!o->probes[i].is_ramp && (z % p->resolution_kib || z <= p->lo_kib || z > p->hi_kib))
			return false;
	}
	return holds(o, threshold_kib) && o->end.hi_kib - o->end.lo_kib <= p->resolution_kib &&
	       o->end.contradictions == 0 && times_asked(o, o->end.hi_kib) == p->verify &&
	       (o->end.lo_kib == p->lo_kib || times_asked(o, o->end.lo_kib) == p->verify);
}

static void test_first_steps(void)
{
	struct search_probe a[] = { { true, 188 * MIB + 300, true },
				    { false, 188 * MIB, true },
				    { false, 184 * MIB, false } };
	struct search_next next = search_decide(&usual, NULL, 0);

	is_int(next.step, SEARCH_RAMP, "a ramp comes first");
	is_int(next.lo_kib, 0, "without answers the bracket begins at lo");
	ok(next.hi_kib == UINT64_MAX, "and has no end");

	next = search_decide(&usual, a, 1);
	is_int(next.step, SEARCH_PROBE, "then a fixed probe");
	is_int(next.z_kib, 188 * MIB, "at the Z of the ramp, on the grid");
	next = search_decide(&usual, a, 2);
	is_int(next.z_kib, 184 * MIB, "it swapped: 2 % of the guess lower, at least 4 steps");
	is_int(next.hi_kib, 188 * MIB, "the bracket has an upper end");
	next = search_decide(&usual, a, 3);
	is_int(next.z_kib, 186 * MIB, "one yes, one no: bisect");
	is_int(next.lo_kib, 184 * MIB, "the bracket has both ends");

	a[1].swapped = false;
	next = search_decide(&usual, a, 2);
	is_int(next.z_kib, 192 * MIB, "the guess did not swap: grow upwards");
	a[2].z_kib = 192 * MIB;
	next = search_decide(&usual, a, 3);
	is_int(next.z_kib, 196 * MIB, "the distance from the guess doubles");
	a[2].z_kib = 196 * MIB;
	next = search_decide(&usual, a, 3);
	is_int(next.z_kib, 204 * MIB, "and doubles again");
}

static void test_sharp(void)
{
	static const double ramps[] = { 1, 0.9, 1.1, 0.98, 1.02, 0.5, 1.5 };
	struct outcome o;
	unsigned perfect = 0, runs = 0;

	for (size_t r = 0; r < sizeof(ramps) / sizeof(ramps[0]); r++) {
		for (double z = 100; z < (double)usual.hi_kib / 1.5; z += 1723.5) {
			run((struct guest){ .threshold_kib = z, .ramp_factor = ramps[r], .random = 1 },
			    &usual, &o);
			perfect += is_perfect(&o, &usual, z);
			runs++;
		}
	}
	is_int(perfect, runs, "sharp thresholds: exact bracket, both ends verified, whatever the ramp said");

	run((struct guest){ .threshold_kib = 200 * MIB, .ramp_factor = 1, .random = 1 }, &usual, &o);
	is_int(o.end.lo_kib, 200 * MIB, "a threshold on the grid: holding exactly it is a no");

	struct search_params fine = usual;

	fine.resolution_kib = 4;
	run((struct guest){ .threshold_kib = 191234.5, .ramp_factor = 1.01, .random = 1 }, &fine, &o);
	ok(is_perfect(&o, &fine, 191234.5), "a resolution of one page");
	fine.verify = 5;
	run((struct guest){ .threshold_kib = 191234.5, .ramp_factor = 1.01, .random = 1 }, &fine, &o);
	ok(is_perfect(&o, &fine, 191234.5), "each end asked 5 times");
}

static void test_edges(void)
{
	struct search_params p = usual;
	struct outcome o;

	run((struct guest){ .threshold_kib = -1, .ramp_factor = 1, .random = 1 }, &p, &o);
	ok(is_perfect(&o, &p, 0.5), "a guest that always swaps: the lowest bracket");
	is_int(o.end.lo_kib, 0, "whose lower end is lo itself, never asked");
	is_int(o.end.hi_kib, MIB, "and whose upper end is one step");

	run((struct guest){ .threshold_kib = INFINITY, .ramp_factor = 1, .random = 1 }, &p, &o);
	is_int(o.end.step, SEARCH_NO_THRESHOLD, "a guest that never swaps has no threshold");
	is_int(times_asked(&o, p.hi_kib), p.verify, "hi was asked as often as an end is");
	is_int(o.fixed, p.verify, "and nothing else");

	run((struct guest){ .threshold_kib = 700 * MIB - 10, .ramp_factor = 1.1, .random = 1 }, &p, &o);
	ok(is_perfect(&o, &p, 700 * MIB - 10), "a ramp without onset, and hi swaps after all");

	struct search_probe liar[MAX_N] = { { true, 300 * MIB, true } };
	size_t n = 1;
	struct search_next next;

	while ((next = search_decide(&p, liar, n)).step == SEARCH_PROBE && n < MAX_N)
		liar[n++] = (struct search_probe){ false, next.z_kib, false };
	is_int(next.step, SEARCH_NO_THRESHOLD, "a ramp that swapped where nothing else does: no threshold");
	is_int(next.lo_kib, p.hi_kib, "up to hi");

	p.hi_kib = 700 * MIB + 1000;
	p.lo_kib = 50 * MIB + 17;
	run((struct guest){ .threshold_kib = 50 * MIB + 20, .ramp_factor = 1, .random = 1 }, &p, &o);
	ok(is_perfect(&o, &p, 50 * MIB + 20), "lo and hi off the grid: a threshold just above lo");
	run((struct guest){ .threshold_kib = 700 * MIB - 1, .ramp_factor = 1, .random = 1 }, &p, &o);
	ok(is_perfect(&o, &p, 700 * MIB - 1), "and one just below hi");
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

	is_int(next.z_kib, usual.hi_kib, "a ramp far beyond hi: begin at hi");
	ok(next.lo_kib == 0 && next.hi_kib == UINT64_MAX, "answers beyond hi and at lo do not count");
	a[0].z_kib = 0;
	is_int(search_decide(&usual, a, 1).z_kib, MIB, "a ramp that swapped at once: begin at the lowest Z");

	struct search_probe off[] = { { true, 100 * MIB, true },
				      { false, 100 * MIB + 300, true },
				      { false, 98 * MIB + 900, false } };

	is_int(search_decide(&usual, off, 3).z_kib, 99 * MIB,
	       "answers off the grid count: bisect between them");
	off[1].z_kib = 99 * MIB + 800;
	is_int(search_decide(&usual, off, 3).z_kib, 99 * MIB + 800,
	       "and an end off the grid is verified where it is");
}

static void test_contradictions(void)
{
	/* The threshold is 188.5 MiB; the answer at 190 is wrong, memory responded late. */
	struct search_probe a[MAX_N] = {
		{ true, 188 * MIB, true },   { false, 188 * MIB, false }, { false, 192 * MIB, true },
		{ false, 190 * MIB, false }, { false, 191 * MIB, true },
	};
	size_t n = 5;
	struct search_next next = search_decide(&usual, a, n);

	is_int(next.z_kib, 191 * MIB, "a full bracket: one end is asked again");
	a[n++] = (struct search_probe){ false, 191 * MIB, true };
	is_int(search_decide(&usual, a, n).z_kib, 190 * MIB, "then the other");
	a[n++] = (struct search_probe){ false, 190 * MIB, true };
	next = search_decide(&usual, a, n);
	is_int(next.z_kib, 190 * MIB, "one yes, one no: ask again at the same Z");
	is_int(next.contradictions, 1, "a contradiction is counted");
	a[n++] = (struct search_probe){ false, 190 * MIB, true };
	next = search_decide(&usual, a, n);
	is_int(next.z_kib, 189 * MIB, "the majority moves the bracket: bisect the next wider one");
	is_int(next.lo_kib, 188 * MIB, "downwards");
	is_int(next.hi_kib, 190 * MIB, "from there");

	while ((next = search_decide(&usual, a, n)).step == SEARCH_PROBE && n < MAX_N) {
		bool swapped = next.z_kib > 188 * MIB + 512;

		a[n++] = (struct search_probe){ false, next.z_kib, swapped };
	}
	is_int(next.step, SEARCH_DONE, "the search recovers");
	is_int(next.lo_kib, 188 * MIB, "with the right lower end");
	is_int(next.hi_kib, 189 * MIB, "and the right upper end");
	is_int(next.contradictions, 1, "and tells of one answer on the wrong side");
}

static void test_gives_up(void)
{
	struct search_params p = usual;
	struct search_probe a[MAX_N] = { { true, 188 * MIB, true } };
	struct search_next next;
	size_t n = 1;

	p.max_probes = 25;
	p.verify = 30;
	while ((next = search_decide(&p, a, n)).step == SEARCH_PROBE && n < MAX_N)
		a[n] = (struct search_probe){ false, next.z_kib, n % 2 == 0 }, n++;
	is_int(next.step, SEARCH_UNSTABLE, "answers by the toss of a coin: unstable");
	is_int(n - 1, p.max_probes, "after exactly max_probes fixed probes");
	is_int(next.z_kib, 0, "with nothing more to ask");
	ok(next.contradictions > 5, "and with many contradictions");

	p.max_probes = 0;
	is_int(search_decide(&p, a, 0).step, SEARCH_RAMP, "max_probes counts fixed probes only");
	is_int(search_decide(&p, a, 1).step, SEARCH_UNSTABLE, "max_probes 0: no fixed probe");
}

static void test_resume(void)
{
	struct guest g = {
		.threshold_kib = 187.4 * 1024, .noise_sd_kib = 600, .wrong = 0.1, .ramp_factor = 0.97
	};
	unsigned same = 0, steps = 0, shuffled = 0, ends = 0;

	for (g.random = 1; g.random <= 20; g.random++) {
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
		shuffled += again.step == o.end.step && again.lo_kib == o.end.lo_kib &&
			    again.hi_kib == o.end.hi_kib;
	}
	is_int(same, steps, "resumed after each prefix, the search asks the same");
	is_int(shuffled, ends, "answers in another order lead to the same end");
}

/* Some hundred searches for random thresholds; what came of them. */
struct summary {
	unsigned runs, ended, right, near, done;
	double mean_fixed;
	unsigned max_fixed;
};

static struct summary summarize(double noise_sd_kib, double wrong, double ramp_error, unsigned runs)
{
	struct guest dice = { .random = 12345 };
	struct summary s = { .runs = runs };

	for (unsigned i = 0; i < runs; i++) {
		struct guest g = {
			.threshold_kib = (187 + 2 * uniform(&dice)) * 1024,
			.noise_sd_kib = noise_sd_kib,
			.wrong = wrong,
			.ramp_factor = 1 + ramp_error * (2 * uniform(&dice) - 1),
			.random = i + 1,
		};
		struct outcome o;

		run(g, &usual, &o);
		s.ended += o.end.step == SEARCH_DONE || o.end.step == SEARCH_UNSTABLE ||
			   o.end.step == SEARCH_NO_THRESHOLD;
		s.done += o.end.step == SEARCH_DONE;
		s.right += holds(&o, g.threshold_kib);
		s.near += o.end.step == SEARCH_DONE &&
			  fabs((double)(o.end.lo_kib + o.end.hi_kib) / 2 - g.threshold_kib) <= 1.5 * 1024;
		s.mean_fixed += (double)o.fixed / runs;
		if (o.fixed > s.max_fixed)
			s.max_fixed = o.fixed;
	}
	printf("# noise sd %.0f KiB, wrong %.0f %%, ramp +-%.0f %%: done %u of %u, right %u, within 1.5 MiB "
	       "%u, "
	       "probes mean %.2f max %u\n",
	       noise_sd_kib, wrong * 100, ramp_error * 100, s.done, s.runs, s.right, s.near, s.mean_fixed,
	       s.max_fixed);
	return s;
}

static void test_statistics(void)
{
	struct summary s = summarize(0, 0, 0.02, 500);

	is_int(s.right, 500, "sharp threshold, ramp within 2 %: always right");
	ok(s.mean_fixed <= 8, "in at most 8 fixed probes on average");
	ok(s.max_fixed <= 9, "and 9 at worst");

	s = summarize(0, 0, 0.10, 500);
	is_int(s.right, 500, "ramp off by up to 10 %: always right");
	ok(s.mean_fixed <= 10, "in at most 10 fixed probes on average");

	s = summarize(0.3 * 1024, 0, 0.02, 500);
	is_int(s.done, 500, "noise of sd 0.3 MiB: always done");
	ok(s.near >= 490, "nearly always within 1.5 MiB of the truth");
	ok(s.mean_fixed <= 9, "in at most 9 fixed probes on average");

	s = summarize(0, 0.15, 0.02, 500);
	is_int(s.ended, 500, "15 % wrong answers: each search ends");
	ok(s.right >= 375, "three quarters of them right");

	s = summarize(0, 0.5, 0.02, 200);
	is_int(s.ended, 200, "answers without sense: each search ends");
}

int main(void)
{
	test_first_steps();
	test_sharp();
	test_edges();
	test_foreign_answers();
	test_contradictions();
	test_gives_up();
	test_resume();
	test_statistics();
	return tap_done();
}
