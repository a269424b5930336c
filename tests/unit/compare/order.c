/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The order of rows in a file says nothing: what is told of them is the same to the byte. */
#include <gsl/gsl_randist.h>

#include "harness/compare/compare.h"
#include "harness/compare/pairs.h"
#include "tests/unit/errors.h"

#define PATH     "pairs.csv"
#define SHUFFLES 10

/* Files of made-up rows. */
static const struct {
	const char *what, *header;
	unsigned n, cells; /* 0: no column for them */
	double grid;       /* of all values; 0: none */
	bool is_falling, has_zeros;
} files[] = {
	{ "300 pairs, more than groups of the jackknife", "z,y", 300, 0, 0, false, false },
	{ "900 pairs of 301 cells", "z,y,cell", 900, 301, 0, false, false },
	{ "decimals with ties", "z,y", 200, 0, 0.1, false, false },
	{ "decimals of 40 clusters", "z,y,cluster", 200, 40, 0.1, false, false },
	{ "whole numbers and zeros of both signs", "z,y,cell", 100, 20, 1, false, true },
	{ "y falls where z grows", "z,y", 250, 0, 0, true, false },
	{ "2500 pairs, more than are looked at one by one", "z,y", 2500, 0, 0.01, false, false },
};

static double rounded(double x, double grid)
{
	return grid > 0 ? round(x / grid) * grid : x;
}

static char *make_row(gsl_rng *rng, size_t file, unsigned i)
{
	bool is_zero = files[file].has_zeros && i % 10 == 0;
	double value = gsl_ran_flat(rng, 10, 50), own = files[file].is_falling ? 60 - value : 1.02 * value;
	double z = rounded(value + gsl_ran_gaussian(rng, 0.5), files[file].grid);
	double y = rounded(own + gsl_ran_gaussian(rng, 0.05 * value), files[file].grid);
	cleanup_free char *pair = is_zero ? xasprintf("%s,%s", i % 20 ? "0" : "-0", i % 30 ? "0" : "-0")
					  : xasprintf("%.15g,%.15g", z, y);

	if (!files[file].cells)
		return take_ptr(pair);
	return xasprintf("%s,c%u", pair, (unsigned)gsl_rng_uniform_int(rng, files[file].cells));
}

/* What is told of a file with these rows, as text and as JSON. */
static void tell(const char *header, char *const *rows, size_t n, struct strbuf *ret)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_pairs struct pairs pairs = { 0 };
	struct agreement a;

	strbuf_addf(&text, "%s\n", header);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&text, "%s\n", rows[i]);
	must(file_write_atomic(PATH, text.data, text.len, 0600));
	must(pairs_load(PATH, &pairs));

	const struct compare_subject subject = {
		.name = PATH,
		.unit = pairs.unit,
		.params = { .margin_pct = 5, .confidence = 0.95, .confidence_validated = 0.95 },
	};

	agreement_compare(pairs.pairs, pairs.n, &subject.params, &a);
	compare_text(&a, &subject, ret);
	compare_json(&a, &subject, ret);
	/* All digits, which JSON has not. */
	strbuf_addf(ret, "%a %a %a %a\n", a.abs.sd, a.weighted_deming.slope_ci.lo,
		    a.passing_bablok.intercept_ci.hi, a.ccc_ci.lo);
}

static void is_same_shuffled(gsl_rng *rng, const char *what, const char *header, char **rows, size_t n)
{
	cleanup_strbuf struct strbuf want = STRBUF_INIT;
	unsigned same = 0;

	tell(header, rows, n, &want);
	for (unsigned i = 0; i < SHUFFLES; i++) {
		cleanup_strbuf struct strbuf got = STRBUF_INIT;

		gsl_ran_shuffle(rng, rows, n, sizeof(*rows));
		tell(header, rows, n, &got);
		same += strcmp(got.data, want.data) == 0;
	}
	is_int(same, SHUFFLES, what);
}

static void test_made_up(void)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);

	for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
		cleanup_free char **rows = xcalloc(files[f].n, sizeof(*rows));

		for (unsigned i = 0; i < files[f].n; i++)
			rows[i] = make_row(rng, f, i);
		is_same_shuffled(rng, files[f].what, files[f].header, rows, files[f].n);
		for (unsigned i = 0; i < files[f].n; i++)
			free(rows[i]);
	}
	gsl_rng_free(rng);
}

TAP_MAIN(test_in_dir, test_made_up)
