/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_TESTS_REPORT_H
#define SWAPCAL_TESTS_REPORT_H

#include <math.h>
#include <unistd.h>

#include "harness/cell/cell.h"
#include "harness/report/report-parts.h"
#include "tests/tap.h"
#include "tests/unit/results.h"

/*
 * For tests of reports over made-up campaigns: a file, from begin() to finish(), and two metrics. They run in
 * the root of the source tree.
 */

static char *dir, *path;
static struct metric metrics[2]; /* anonymous_swap, rss */

__attribute__((unused)) static struct store *begin(int64_t *run)
{
	struct store *store;

	unlink(path);
	must(store_open(path, STORE_WRITE, &store));
	*run = test_begin_run(store);
	return store;
}

/* Ends the run, and builds the report from the file. */
__attribute__((unused)) static struct report *finish(struct store *store, int64_t run)
{
	struct report *r;

	must(store_end_run(store, run, "done"));
	store_close(store);
	must(store_open(path, STORE_READ, &store));
	must(report_build(store, metrics, 2, NAN, &r));
	must(report_add_costs(r, store));
	store_close(store);
	return r;
}

__attribute__((unused)) static void put_growth(struct store *store, int64_t run, const struct cell *cell,
					       unsigned replicate, unsigned long anonymous_kib,
					       unsigned long swap_kib, const char *flags)
{
	struct probe_record r = test_probe(cell, replicate, 0, PROBE_GROWTH, 0, OUTCOME_ONSET);

	free(r.flags);
	r.flags = xstrdup(flags);
	test_heap(test_snapshot(&r, "onset"), 7, anonymous_kib, swap_kib);
	test_put(store, run, r);
}

__attribute__((unused)) static const struct report_row *row_of(const struct report *r,
							       const char *interpreter, const char *metric)
{
	for (size_t i = 0; i < r->rows_n; i++)
		if (strcmp(r->rows[i].cell->interpreter, interpreter) == 0 &&
		    strcmp(r->rows[i].metric, metric) == 0)
			return &r->rows[i];
	must(err_new("no row %s %s", interpreter, metric));
	return NULL;
}

/* Lines of the text are for a terminal of 100 columns. */
__attribute__((unused)) static size_t widest_line(const char *text)
{
	size_t widest = 0;

	for (const char *p = text; *p; p += strcspn(p, "\n") + 1)
		widest = strcspn(p, "\n") > widest ? strcspn(p, "\n") : widest;
	return widest;
}

/** Runs a test's parts with all of that there. */
__attribute__((unused)) static int run_reports(void (*tests)(void))
{
	dir = test_dir();
	path = xasprintf("%s/f.swapcal", dir);
	must(metric_load("calibrate/metrics/anonymous_swap.sql", &metrics[0]));
	must(metric_load("calibrate/metrics/rss.sql", &metrics[1]));
	tests();
	metric_deinit(&metrics[0]);
	metric_deinit(&metrics[1]);
	must(file_remove_tree(dir));
	free(path);
	free(dir);
	return tap_done();
}

#endif
