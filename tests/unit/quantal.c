/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Estimates of ED50 against published data, cases that can be computed by hand, and data that have no answer.
 * What this cannot show is how often intervals hold the truth: tests/sim/quantal.c.
 */
#include <math.h>

#include "calibrate/quantal.h"
#include "tests/tap.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Beetles after five hours of gaseous carbon disulphide, by log10 of mg/l: Bliss, Annals of Applied Biology
 * 22, 1935, 134-167. The expected numbers are those of R's glm(); Fieller's interval is computed from them.
 */
static const struct quantal_point beetles[] = {
	{ 1.6907, 59, 6 },  { 1.7242, 60, 13 }, { 1.7552, 62, 18 }, { 1.7842, 56, 28 },
	{ 1.8113, 63, 52 }, { 1.8369, 59, 53 }, { 1.8610, 62, 61 }, { 1.8839, 60, 60 },
};

static void test_beetles(void)
{
	struct quantal_logistic f;

	quantal_fit_logistic(beetles, N(beetles), false, &f);
	ok(f.is_converged, "beetles: converged");
	is_near(f.intercept, -60.717455, 1e-5, "intercept");
	is_near(f.slope, 34.270326, 1e-5, "slope");
	is_near(f.intercept_se, 5.180711, 1e-5, "standard error of the intercept");
	is_near(f.slope_se, 2.912140, 1e-5, "and of the slope");
	is_near(f.deviance, 11.232231, 1e-6, "deviance");
	is_near(f.ed50, 1.7717210, 1e-7, "ED50");
	is_near(f.ed50_se, 0.0038581, 1e-7, "its standard error by the delta method");
	is_near(f.fieller.lo, 1.763858, 1e-6, "lower end by Fieller's theorem");
	is_near(f.fieller.hi, 1.779200, 1e-6, "upper end");
	is_near(f.profile.lo, f.fieller.lo, 2e-4, "481 beetles: the profile likelihood says the same");
	is_near(f.profile.hi, f.fieller.hi, 2e-4, "at both ends");
	is_near(f.covariance,
		(f.ed50_se * f.ed50_se * f.slope * f.slope - f.intercept_se * f.intercept_se -
		 f.ed50 * f.ed50 * f.slope_se * f.slope_se) /
			(2 * f.ed50),
		1e-5, "the covariance is the one of the delta method");
}

int main(void)
{
	test_beetles();
	return tap_done();
}
