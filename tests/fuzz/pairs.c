/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A CSV file of pairs as anybody may have it. */
#include <math.h>
#include <string.h>

#include "harness/compare/pairs.h"
#include "tests/fuzz/fuzz.h"

static bool is_number(double v)
{
	return v == 0 || (fabs(v) >= PAIRS_NUMBER_MIN && fabs(v) <= PAIRS_NUMBER_MAX);
}

static void check_pairs(const struct pairs *p)
{
	size_t seen = 0;

	must_hold(p->n >= PAIRS_ROWS_MIN && p->n <= PAIRS_ROWS_MAX && p->clusters >= 1 &&
		  p->clusters <= p->n);
	must_hold(*p->unit == 'c' || p->clusters == p->n);
	for (size_t i = 0; i < p->n; i++) {
		must_hold(is_number(p->pairs[i].z) && is_number(p->pairs[i].y));
		/* Numbered as they appear. */
		must_hold(p->pairs[i].cluster <= seen);
		seen += p->pairs[i].cluster == seen;
	}
	must_hold(seen == p->clusters);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file(data, size);
	cleanup(pairs_deinit) struct pairs pairs = { 0 };
	struct err *e = pairs_load(path, &pairs);

	/* What is wrong with the content is told with the line. */
	must_hold(!e || (!pairs.pairs && strncmp(err_message(e), path, strlen(path)) == 0 &&
			 err_message(e)[strlen(path)] == ':'));
	if (is_read(e))
		check_pairs(&pairs);
	return 0;
}
