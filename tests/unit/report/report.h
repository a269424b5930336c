/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

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

#define unused __attribute__((unused))

static char *dir, *path;
static struct cell z;            /* of method threshold, in a guest of 256 MiB; anew for each test */
static struct metric metrics[2]; /* anonymous_swap, rss */
static struct cell cells[4];     /* of a test; given back with z */
static struct store *store;
static int64_t run;

unused static void put_cell(const struct cell *cell)
{
	must(store_put_cell(store, cell));
}

unused static void put_probe(struct probe_record r)
{
	test_put(store, run, r);
}

/* A new file, with that cell unless NULL, and those of cells[] that there are. */
unused static void begin(const struct cell *first)
{
	unlink(path);
	store = test_open(path, STORE_WRITE);
	run = test_begin_run(store);
	if (first)
		put_cell(first);
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]) && cells[i].identity; i++)
		put_cell(&cells[i]);
}

/* A report; destroyed at the end of the block. */
#define cleanup_report cleanup(cleanup_report_)
#define cleanup_cell   cleanup(cell_deinit)

/* Ends the run, and builds the report from the file. */
unused static struct report *finish(void)
{
	struct report *r;

	must(store_end_run(store, run, "done"));
	store_close(store);
	store = test_open(path, STORE_READ);
	must(report_build(store, metrics, 2, NAN, &r));
	must(report_add_costs(r, store));
	store_close(store);
	return r;
}

/* A ramp that came to its onset at that ballast. */
unused static void put_ramp(const struct cell *cell, unsigned replicate, double mib)
{
	struct probe_record r = test_probe(cell, replicate, 0, PROBE_RAMP, 0, OUTCOME_ONSET);

	r.load_pages = (uint64_t)(mib * 256);
	put_probe(r);
}

unused static void put_growth(const struct cell *cell, unsigned replicate, unsigned long anonymous_kib,
			      unsigned long swap_kib, const char *flags)
{
	struct probe_record r = test_probe(cell, replicate, 0, PROBE_GROWTH, 0, OUTCOME_ONSET);

	free(r.flags);
	r.flags = xstrdup(flags);
	test_heap(test_snapshot(&r, "onset"), 7, anonymous_kib, swap_kib);
	put_probe(r);
}

/* The first row of that interpreter or workload. */
unused static const struct report_row *row_of(const struct report *r, const char *name, const char *metric)
{
	for (size_t i = 0; i < r->rows_n; i++) {
		const struct report_row *row = &r->rows[i];

		if (strcmp(row->metric, metric) == 0 &&
		    (strcmp(row->cell->interpreter, name) == 0 || strcmp(row->cell->workload, name) == 0))
			return row;
	}
	must(err_new("no row %s %s", name, metric));
	return NULL;
}

/* A form of the report, until the next one is asked for. */
unused static const char *form_of(const struct report *r,
				  void (*form)(const struct report *, struct strbuf *))
{
	static struct strbuf out;

	strbuf_clear(&out);
	form(r, &out);
	return strbuf_str(&out);
}

#define text_of(r) form_of(r, report_text)
#define csv_of(r)  form_of(r, report_csv)

/* What stands at a path as "rows/2/y_mib" of the report's JSON, until the next one is asked for. */
unused static const json_t *json_of(const struct report *r, const char *place)
{
	static json_t *root;
	cleanup_free char *copy = xstrdup(place);
	const json_t *at;

	json_decref(root);
	at = root = json_loads(form_of(r, report_json), JSON_REJECT_DUPLICATES, NULL);
	for (char *key = strtok(copy, "/"); key; key = strtok(NULL, "/"))
		at = json_is_array(at) ? json_array_get(at, strtoul(key, NULL, 10))
				       : json_object_get(at, key);
	return at;
}

unused static double number_of(const struct report *r, const char *place)
{
	const json_t *v = json_of(r, place);

	return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

#define string_of(r, place) json_string_value(json_of(r, place))

/* Lines of the text are for a terminal of 100 columns. */
unused static size_t widest_line(const char *text)
{
	size_t widest = 0;

	for (const char *p = text; *p; p += strcspn(p, "\n") + 1)
		widest = strcspn(p, "\n") > widest ? strcspn(p, "\n") : widest;
	return widest;
}

/* Runs these functions with all of that there. */
#define RUN_REPORTS(...)                                                                                     \
	int main(void)                                                                                       \
	{                                                                                                    \
		static void (*const tests[])(void) = { __VA_ARGS__ };                                        \
                                                                                                             \
		return run_reports(tests, sizeof(tests) / sizeof(*tests));                                   \
	}

unused static int run_reports(void (*const *tests)(void), size_t n)
{
	dir = test_dir();
	path = xasprintf("%s/f.swapcal", dir);
	setenv("SWAPCAL_DATADIR", ".", 1);
	must(metric_find("anonymous_swap", &metrics[0]));
	must(metric_find("rss", &metrics[1]));
	for (size_t i = 0; i < n; i++) {
		z = test_cell(0, 256, "threshold", "ballast", "-", NULL);
		tests[i]();
		cell_deinit(&z);
		for (size_t k = 0; k < sizeof(cells) / sizeof(cells[0]); k++)
			cell_deinit(&cells[k]);
	}
	metric_deinit(&metrics[0]);
	metric_deinit(&metrics[1]);
	must(file_remove_tree(dir));
	free(path);
	free(dir);
	return tap_done();
}
