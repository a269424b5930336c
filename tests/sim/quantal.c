/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How often do intervals hold the truth? 200 made data sets with a known one; a 95 % interval should hold it
 * in 90 to 99 % of them. What this cannot show: anything of curves that are not logistic, and of scatter that
 * is not normal. Of doses that were chosen by looking at earlier answers nothing promises 95 %: for those the
 * numbers are told, and little is asked.
 */
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

#include "calibrate/stats/curve.h"
#include "calibrate/stats/quantal.h"
#include "calibrate/stats/search.h"
#include "tests/tap.h"

#define SEEDS 200
#define DOSES 8
#define MIB   1024

/* For a 95 % interval over SEEDS seeds: 90 to 99 %. */
static bool is_covering(unsigned hits)
{
	return hits >= SEEDS * 90 / 100 && hits <= SEEDS * 99 / 100;
}

/* What came of one design over the seeds: how many intervals held the truth, and the errors. */
struct tally {
	unsigned firth, isotonic, separated, no_ed50, open;
	double firth_square, isotonic_square;
};

static void estimate(const struct quantal_point *p, size_t n, double truth, gsl_rng *rng, struct tally *t)
{
	struct quantal_logistic firth;
	struct quantal_isotonic isotonic;

	quantal_fit_logistic(p, n, &firth);
	quantal_fit_isotonic(p, n, rng, &isotonic);
	t->firth += interval_has(firth.profile, truth);
	t->isotonic += interval_has(isotonic.ci, truth);
	t->separated += quantal_separation(p, n) != QUANTAL_OVERLAP;
	t->no_ed50 += isnan(firth.ed50) || isnan(isotonic.ed50);
	t->open += isinf(firth.profile.lo) || isinf(firth.profile.hi);
	if (!isnan(firth.ed50))
		t->firth_square += pow(firth.ed50 - truth, 2) / SEEDS;
	if (!isnan(isotonic.ed50))
		t->isotonic_square += pow(isotonic.ed50 - truth, 2) / SEEDS;
}

static void tell(const char *design, const struct tally *t)
{
	printf("# %s: of %d, Firth's profile holds %u (open %u), isotonic %u; separated %u, without "
	       "ED50 %u; rms error %.3g and %.3g\n",
	       design, SEEDS, t->firth, t->open, t->isotonic, t->separated, t->no_ed50, sqrt(t->firth_square),
	       sqrt(t->isotonic_square));
}

static double response(double dose, double ed50, double slope)
{
	return 1 / (1 + exp(-slope * (dose - ed50)));
}

static void tally_fixed(gsl_rng *rng, unsigned n, double ed50, double slope, struct tally *ret)
{
	struct tally t = { 0 };

	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		struct quantal_point p[DOSES];

		gsl_rng_set(rng, seed);
		for (unsigned i = 0; i < DOSES; i++) {
			double dose = i + 1;

			p[i] = (struct quantal_point){
				dose, n, gsl_ran_binomial(rng, response(dose, ed50, slope), n)
			};
		}
		estimate(p, DOSES, ed50, rng, &t);
	}
	*ret = t;
}

static void test_fixed(gsl_rng *rng)
{
	static const double slopes[] = { 1, 2 };
	struct tally t;
	char design[100];

	for (size_t i = 0; i < 2; i++) {
		tally_fixed(rng, 10, 3.7, slopes[i], &t);
		snprintf(design, sizeof(design), "8 doses of 10, slope %.0f a dose", slopes[i]);
		tell(design, &t);
		ok(is_covering(t.firth), "fixed doses: Firth's profile interval");
		ok(is_covering(t.isotonic), "the isotonic bootstrap's");
	}
	/*
	 * Nearly all answers change between two doses, and many subjects make sure of both shares. Where a
	 * half is between them only a curve's form can tell, and the isotonic interval becomes the whole gap.
	 */
	tally_fixed(rng, 30, 3.75, 4, &t);
	tell("8 doses of 30, slope 4 a dose", &t);
	ok(is_covering(t.firth), "a steep curve: Firth's profile interval");
	ok(t.isotonic >= SEEDS * 90 / 100, "the isotonic one, not too seldom");
}

/* A guest that swaps when asked to hold more than a threshold, which each life draws anew. */
struct guest {
	double threshold_kib, scale_kib; /* of the logistic distribution */
};

static bool swaps(const struct guest *g, gsl_rng *rng, double z_kib)
{
	return gsl_rng_uniform(rng) < response(z_kib, g->threshold_kib, 1 / g->scale_kib);
}

/* The search for Z*, then up and down one step around where it ended, to n answers. */
static size_t ask_adaptively(const struct guest *g, gsl_rng *rng, size_t n, struct quantal_point *ret)
{
	static const struct search_params params = { .hi_kib = 700 * MIB,
						     .precision_kib = MIB / 4,
						     .max_probes = 60,
						     .ramp_ratio = SEARCH_RAMP_RATIO };
	struct search_probe probes[64] = {
		{ true, (uint64_t)(g->threshold_kib * (0.98 + 0.04 * gsl_rng_uniform(rng))), true }
	};
	size_t asked = 0;
	double z_kib = 0;
	bool swapped = false;

	while (asked < n) {
		struct search_next next = search_decide(&params, probes, asked + 1);

		if (next.step == SEARCH_PROBE)
			z_kib = (double)next.z_kib;
		else
			z_kib += swapped ? -MIB / 4.0 : MIB / 4.0;
		swapped = swaps(g, rng, z_kib);
		ret[asked++] = (struct quantal_point){ z_kib, 1, swapped };
		probes[asked] = (struct search_probe){ false, (uint64_t)z_kib, swapped };
	}
	return asked;
}

/*
 * Where the onset is much steeper than the doses are apart, all is decided between two of them, and many
 * answers are surer of the logistic curve than it deserves: of 40 answers with a scale of 20 KiB, 178 of 200
 * intervals held.
 */
static void test_adaptive(gsl_rng *rng)
{
	static const size_t sizes[] = { 8, 20 };
	static const double scales_kib[] = { 150, 600 };

	for (size_t s = 0; s < 2; s++) {
		for (size_t i = 0; i < 2; i++) {
			struct tally t = { 0 };
			char design[100];

			for (unsigned seed = 1; seed <= SEEDS; seed++) {
				struct quantal_point p[64];
				struct guest g = { 190 * MIB + 7.0 * seed, scales_kib[s] };

				gsl_rng_set(rng, seed);
				estimate(p, ask_adaptively(&g, rng, sizes[i], p), g.threshold_kib, rng, &t);
			}
			snprintf(design, sizeof(design), "%zu answers of a search by 256 KiB, scale %.0f KiB",
				 sizes[i], scales_kib[s]);
			tell(design, &t);
			ok(t.firth >= SEEDS * 90 / 100, "doses of a search: Firth's profile interval");
		}
	}
}

/* Thresholds around a line, and one more that the line should predict. */
static unsigned hits_of_line(gsl_rng *rng, size_t n, double scatter_kib, double z_se_kib, double x_new_mib)
{
	static const double x_mib[] = { 256, 512, 1024, 1536, 2048, 4096 };
	unsigned hits = 0;

	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		struct curve_point p[6];
		struct curve c;
		double sd_kib = sqrt(scatter_kib * scatter_kib + z_se_kib * z_se_kib);

		gsl_rng_set(rng, seed);
		for (size_t i = 0; i < n; i++)
			p[i] = (struct curve_point){ x_mib[i],
						     -5000 + 950 * x_mib[i] + gsl_ran_gaussian(rng, sd_kib),
						     z_se_kib, NAN };
		curve_fit(p, n, &c);
		hits += interval_has(curve_predict(&c, x_new_mib).z_pi_kib,
				     -5000 + 950 * x_new_mib + gsl_ran_gaussian(rng, sd_kib));
	}
	printf("# %zu thresholds, scatter %.0f KiB, uncertainty %.0f KiB, at %.0f MiB: %u of %d\n", n,
	       scatter_kib, z_se_kib, x_new_mib, hits, SEEDS);
	return hits;
}

static void test_line(gsl_rng *rng)
{
	for (size_t n = 4; n <= 6; n += 2) {
		ok(is_covering(hits_of_line(rng, n, 2000, 500, 768)), "a prediction among the points");
		ok(is_covering(hits_of_line(rng, n, 2000, 500, 8192)), "and far outside");
		ok(is_covering(hits_of_line(rng, n, 2000, 1, 768)), "with thresholds known exactly");
		/* Too wide on purpose: see curve_predict(). */
		ok(hits_of_line(rng, n, 2000, 2000, 768) >= SEEDS * 90 / 100,
		   "as much uncertainty as scatter: not too seldom");
		ok(hits_of_line(rng, n, 0, 2000, 768) >= SEEDS * 90 / 100, "no scatter: not too seldom");
	}
}

int main(void)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);

	test_fixed(rng);
	test_adaptive(rng);
	test_line(rng);
	gsl_rng_free(rng);
	return tap_done();
}
