/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>

#include "calibrate/quantal.h"
#include "tests/tap.h"

static double response(double dose, double ed50, double slope)
{
	return 1 / (1 + exp(-slope * (dose - ed50)));
}

int main(void)
{
	static const double truths[] = { 4.5, 3.7, 5.6 }, slopes[] = {0.7, 1.0, 2.0, 4.0};
	unsigned seeds = 200;
	for (int n = 10; n <= 30; n += 20)
	for (int t = 0; t < 3; t++) for (int s = 0; s < 4; s++) {
		unsigned hp = 0, hm=0, hf = 0, hi = 0, nofit=0;
		double w1=0,w2=0;
		gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
		for (unsigned seed = 1; seed <= seeds; seed++) {
			struct quantal_point p[8];
			struct quantal_logistic f, m;
			struct quantal_isotonic iso;
			gsl_rng_set(rng, seed);
			for (int i = 0; i < 8; i++)
				p[i] = (struct quantal_point){ i + 1, n, gsl_ran_binomial(rng, response(i + 1, truths[t], slopes[s]), n) };
			quantal_fit_logistic(p, 8, true, &f);
			quantal_fit_logistic(p, 8, false, &m);
			quantal_fit_isotonic(p, 8, rng, &iso);
			nofit += !m.is_converged;
			hp += interval_has(f.profile, truths[t]);
			hm += interval_has(m.profile, truths[t]);
			hf += interval_has(m.fieller, truths[t]);
			hi += interval_has(iso.ci, truths[t]);
			w1 += (f.profile.hi - f.profile.lo)/seeds; w2 += (iso.ci.hi-iso.ci.lo)/seeds;
		}
		printf("# n %d truth %g slope %g: firth profile %.3f ml profile %.3f fieller %.3f (no ml %u) iso %.3f width %.3f %.3f\n", n, truths[t], slopes[s], hp*1./seeds, hm*1./seeds, hf*1./seeds, nofit, hi*1./seeds, w1, w2);
	}
	return tap_done();
}
