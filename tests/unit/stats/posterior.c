/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The posterior of a threshold, where it can be worked out otherwise. How well its intervals hold is in
 * tests/sim/designs.c; whether real guests are as the model says is for real guests to show.
 */
#include "calibrate/stats/posterior.h"

#include "tests/tap.h"

static const struct posterior_params usual = { .lo_kib = 0,
					       .hi_kib = 500e3,
					       .guess_kib = 200e3,
					       .guess_scale_kib = 1e3,
					       .above = 0.01,
					       .precision_kib = 512 };

static void test_prior(void)
{
	cleanup(cleanup_posterior_) struct posterior *p = posterior_create(&usual, NULL, 0);

	is_near(posterior_quantile(p, 0.5), 200e3, 60, "without answers the guess is the median");
	/* A quarter of a Cauchy distribution lies between its middle and its scale; 2 % are spread evenly. */
	is_near(posterior_quantile(p, 0.75) - posterior_quantile(p, 0.5), 1e3, 80,
		"and half lies within the scale");
	is_near(posterior_above(p), 0.01, 1e-9, "what is above hi is what was said");
	ok(posterior_quantile(p, 1e-9) <= 0 && posterior_quantile(p, 0.01) > 0, "a little is below lo");
	is_near(posterior_quantile(p, 0), 0, 0, "quantiles begin at lo");
	ok(isinf(posterior_quantile(p, 0.995)), "and end above hi");
	ok(posterior_wrong(p) > 0.01 && posterior_wrong(p) < 0.15, "a share of wrong answers is expected");
}

/* Two hypotheses only: an answer shifts their odds by the likelihood ratio, averaged over the rest. */
static void test_odds(void)
{
	struct posterior_answer answer = { 499.9e3, 0, 1 };
	cleanup(cleanup_posterior_) struct posterior *before = posterior_create(&usual, NULL, 0);
	cleanup(cleanup_posterior_) struct posterior *after = posterior_create(&usual, &answer, 1);
	double wrong = posterior_wrong(before);
	double odds = (1 - posterior_above(before)) / posterior_above(before);

	/* Nearly all that is inside lies far below, so a "no" there is a wrong answer. */
	double inside = posterior_above(after) * odds * wrong / (1 - wrong);

	ok(fabs((1 - posterior_above(after)) / inside - 1) < 0.15,
	   "a \"no\" far above the guess: the odds change by the share of wrong answers");
}

static void test_symmetry(void)
{
	struct posterior_params p = usual;
	struct posterior_answer a[] = { { 198e3, 0, 2 }, { 199e3, 1, 1 }, { 201e3, 2, 0 } };
	struct posterior_answer mirrored[] = { { 302e3, 2, 0 }, { 301e3, 1, 1 }, { 299e3, 0, 2 } };
	struct posterior_answer split[] = { { 201e3, 1, 0 }, { 198e3, 0, 1 }, { 199e3, 1, 0 },
					    { 199e3, 0, 1 }, { 201e3, 1, 0 }, { 198e3, 0, 1 } };
	cleanup(cleanup_posterior_) struct posterior *one = posterior_create(&p, a, 3),
						     *same = posterior_create(&p, split, 6);

	p.guess_kib = 300e3;

	cleanup(cleanup_posterior_) struct posterior *other = posterior_create(&p, mirrored, 3);

	is_near(posterior_quantile(one, 0.5) + posterior_quantile(other, 0.5), 500e3, 40,
		"yes and no, up and down mirrored: so is the median");
	is_near(posterior_quantile(one, 0.025) + posterior_quantile(other, 0.975), 500e3, 200,
		"and the interval");
	is_near(posterior_quantile(same, 0.3), posterior_quantile(one, 0.3), 1e-6,
		"answers count the same one by one");
	is_near(posterior_wrong(same), posterior_wrong(one), 1e-9, "in any order");
}

static void test_unknowns(void)
{
	struct posterior_answer sharp[] = { { 199.5e3, 0, 20 }, { 200.5e3, 20, 0 } };
	struct posterior_answer wide[] = {
		{ 198e3, 5, 15 }, { 200e3, 10, 10 }, { 202e3, 15, 5 }, { 190e3, 0, 20 }, { 210e3, 20, 0 }
	};
	struct posterior_answer lies[] = { { 190e3, 4, 16 },   { 195e3, 4, 16 }, { 199.5e3, 4, 16 },
					   { 200.5e3, 16, 4 }, { 205e3, 16, 4 }, { 210e3, 16, 4 } };
	cleanup(cleanup_posterior_) struct posterior *s = posterior_create(&usual, sharp, 2),
						     *w = posterior_create(&usual, wide, 5),
						     *l = posterior_create(&usual, lies, 6);

	ok(posterior_spread_quantile(s, 0.95) <= 512, "answers that never overlap: a small spread");
	ok(posterior_spread_quantile(w, 0.5) >= 2048, "answers that overlap widely: a large one");
	ok(posterior_wrong(s) < 0.02 && posterior_wrong(w) < 0.06, "neither needs wrong answers");
	ok(posterior_wrong(l) > 0.15 && posterior_wrong(l) < 0.25,
	   "contradictions at any distance: a fifth of the answers is wrong");
	is_near(posterior_quantile(l, 0.5), 200e3, 500, "and the threshold is found among them");
	is_near(posterior_quantile(w, 0.5), 200e3, 500, "as it is in the spread");
}

static void test_information(void)
{
	struct posterior_answer a[] = { { 198e3, 0, 1 }, { 202e3, 1, 0 } };
	cleanup(cleanup_posterior_) struct posterior *p = posterior_create(&usual, a, 2);
	double middle = posterior_information(p, 200e3);

	ok(middle > posterior_information(p, 198e3) && middle > posterior_information(p, 202e3),
	   "the middle tells more than what was asked already");
	ok(posterior_information(p, 100) < 0.05, "a ballast of nothing tells next to nothing");
	ok(middle > 0 && middle < log(2), "no answer tells more than a bit");
}

/* Thousands of answers: products leave the range of numbers. */
static void test_many(void)
{
	struct posterior_answer a[] = { { 199e3, 30, 3000 }, { 201e3, 3000, 30 } };
	cleanup(cleanup_posterior_) struct posterior *p = posterior_create(&usual, a, 2);

	ok(isfinite(posterior_quantile(p, 0.5)) && fabs(posterior_quantile(p, 0.5) - 200e3) < 1e3,
	   "thousands of answers are no trouble");
}

TAP_MAIN(test_prior, test_odds, test_symmetry, test_unknowns, test_information, test_many)
