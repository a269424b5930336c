/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A load's footprint over time, of series whose answer is known. */

#include "calibrate/evidence/footprint.h"
#include "tests/tap.h"

static struct proto_sample at(uint64_t t_us, uint64_t load_kib, uint64_t load_pages)
{
	return (struct proto_sample){ .t_us = t_us, .load_kib = load_kib, .load_pages = load_pages };
}

static void test_footprint(void)
{
	const struct proto_sample s[] = { at(1000, 0, 0),      at(2000, 100, 0),  at(3000, 200, 0),
					  at(7000, 200, 0),    at(8000, 1000, 0), at(9000, 500, 0),
					  at(10000, 5000, 10), at(11000, 0, 0) };
	struct footprint f = footprint_of(s, 8, UINT64_MAX);

	is_near(f.max_kib, 1000, 0, "the largest, until the ballast begins");
	is_near(f.wall_ms, 7, 1e-9, "from the first that holds anything");
	is_near(f.mean_kib, (150 + 4 * 200 + 600 + 750) / 7.0, 1e-9, "the mean over time, not over samples");
	f = footprint_of(s, 8, 7500);
	is_near(f.max_kib, 200, 0, "up to where it is complete");
	is_near(f.mean_kib, (150 + 4 * 200) / 5.0, 1e-9, "its mean");
	is_near(f.wall_ms, 5, 1e-9, "its time");
	f = footprint_of(s, 8, 2000);
	ok(f.max_kib == 100 && f.mean_kib == 100 && f.wall_ms == 0, "a single sample");
	f = footprint_of(s, 8, 1999);
	ok(isnan(f.max_kib) && isnan(f.mean_kib) && isnan(f.wall_ms), "ended before it began");
	f = footprint_of(s, 1, UINT64_MAX);
	ok(isnan(f.max_kib), "no load");
	f = footprint_of(&s[6], 2, UINT64_MAX);
	ok(isnan(f.max_kib), "a ballast alone");
	f = footprint_of(NULL, 0, UINT64_MAX);
	ok(isnan(f.max_kib), "no series");
}

static void test_hostile(void)
{
	const struct proto_sample s[] = { at(5000, 100, 0), at(6000, UINT64_MAX, 0), at(10, 7, 0) };
	struct footprint f = footprint_of(s, 3, UINT64_MAX);

	ok(isfinite(f.max_kib) && isfinite(f.mean_kib), "huge sizes");
	is_near(f.wall_ms, 1, 1e-9, "time that goes back ends it");
}

static void test_values(void)
{
	struct footprint_values v = FOOTPRINT_NO_VALUES;

	footprint_add(&v, NAN);
	ok(v.n == 0 && isnan(v.max_kib) && isnan(v.mean_kib), "no value");
	footprint_add(&v, 10);
	footprint_add(&v, 40);
	footprint_add(&v, 25);
	is_near(v.mean_kib, 25, 1e-9, "the mean");
	is_near(v.max_kib, 40, 0, "the largest");
}

TAP_MAIN(test_footprint, test_hostile, test_values)
