/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "harness/validate.h"
#include "tests/tap.h"
#include "tests/unit/results.h"

/* Verdicts over made-up reports: which cells count, what is within the margin, which metric is best. */

#define METRICS 3 /* near, far, and the one on trial */
#define CELLS   4

static struct metric metrics[METRICS] = {
	{ .name = (char *)"near", .path = (char *)"near.sql", .summary = (char *)"" },
	{ .name = (char *)"far", .path = (char *)"far.sql", .summary = (char *)"" },
	{ .name = (char *)"trial", .path = (char *)"trial.sql", .summary = (char *)"on trial" },
};

static struct cell cells[CELLS];
static struct report_threshold thresholds[2];
static struct report_row rows[METRICS * CELLS];
static struct report report = { .plan_name = (char *)"night", .run_status = (char *)"done" };

static void set_row(size_t cell, size_t metric, double y_mib)
{
	struct report_row *row = &rows[cell * METRICS + metric];

	row->y_kib = y_mib * 1024;
	row->diff_kib = row->y_kib - row->z_kib;
	row->diff_pct = 100 * row->diff_kib / row->z_kib;
	row->n = 1;
}

/* Z is the bracket's middle; NAN: not known. */
static void set_z(size_t cell, double lo_mib, double hi_mib)
{
	for (size_t m = 0; m < METRICS; m++) {
		struct report_row *row = &rows[cell * METRICS + m];

		row->z_lo_kib = lo_mib * 1024;
		row->z_hi_kib = hi_mib * 1024;
		row->z_kib = (row->z_lo_kib + row->z_hi_kib) / 2;
	}
}

/* Cell 0 is the ballast's own, 1 and 2 grow in the same guest, 3 in another one. Z* 100 and 200. */
static void make_report(void)
{
	for (size_t i = 0; i < CELLS; i++)
		cell_deinit(&cells[i]);
	cells[0] = test_cell(0, 128, "threshold", "ballast", "-", NULL);
	cells[1] = test_cell(1, 128, "growth", "strings", "python3", &cells[0]);
	cells[2] = test_cell(2, 128, "growth", "strings", "pypy3", &cells[0]);
	cells[3] = test_cell(3, 256, "growth", "strings", "pypy3", &cells[0]);
	for (size_t i = 0; i < METRICS * CELLS; i++) {
		size_t cell = i / METRICS;

		thresholds[cell == 3].z_kib = cell == 3 ? 200 * 1024 : 100 * 1024;
		rows[i].cell = &cells[cell];
		rows[i].threshold = &thresholds[cell == 3];
		rows[i].metric = metrics[i % METRICS].name;
		rows[i].flags = (char *)"";
	}
	for (size_t cell = 0; cell < CELLS; cell++) {
		double z = cell == 3 ? 200 : 100;

		set_z(cell, z - 0.5, z + 0.5);
		set_row(cell, 0, z + 1);
		set_row(cell, 1, z * 1.2);
		set_row(cell, 2, z);
	}
	report.cells = cells;
	report.cells_n = CELLS;
	report.rows = rows;
	report.rows_n = METRICS * CELLS;
}

static struct validation judge(double margin_pct)
{
	struct validation v;

	validate_judge(&report, metrics, METRICS, margin_pct, &v);
	return v;
}

static void test_verdict(void)
{
	struct validation v;

	make_report();
	set_row(0, 2, 300);
	v = judge(5);
	ok(v.is_validated && v.cells_n == 3 && v.within == 3, "right in every workload's cell is validated");
	ok(v.best == &metrics[0] && v.best_within == 3, "the best shipped metric stands beside it");
	validation_deinit(&v);

	set_row(2, 2, 105.4);
	v = judge(5);
	ok(v.is_validated, "the margin is added to the upper side of the bracket");
	validation_deinit(&v);
	set_row(2, 2, 105.6);
	v = judge(5);
	ok(!v.is_validated && v.off == 1 && v.within == 2, "beyond it the metric is off");
	ok(v.cells[0].row == &rows[2 * METRICS + 2] && v.cells[0].state == VALIDATE_OFF, "worst first");
	ok(fabs(v.cells[0].distance_pct - 5.1) < 1e-9, "by the distance from the bracket, in percent of Z*");
	validation_deinit(&v);

	v = judge(0);
	ok(v.within == 2 && v.best_within == 0, "without a margin only the bracket is right");
	ok(v.best == &metrics[0], "of two that are never right the nearer one is best");
	validation_deinit(&v);
}

static void test_no_value(void)
{
	struct validation v;

	make_report();
	set_row(1, 2, NAN);
	set_row(3, 2, 240);
	v = judge(5);
	ok(!v.is_validated && v.no_value == 1 && v.off == 1 && v.within == 1, "to say nothing is no way out");
	ok(v.cells[0].state == VALIDATE_NO_VALUE && v.cells[1].state == VALIDATE_OFF,
	   "and is worse than to be wrong");
	validation_deinit(&v);

	set_z(1, NAN, NAN);
	v = judge(5);
	ok(v.cells_n == 2 && v.no_value == 0, "a cell without a Z judges nobody");
	validation_deinit(&v);

	for (size_t cell = 1; cell < CELLS; cell++)
		set_z(cell, NAN, 100);
	v = judge(5);
	ok(v.cells_n == 0 && !v.is_validated, "no cell, no verdict");
	validation_deinit(&v);
}

/* A load that weighs nothing: Z is 0, and percents of it mean nothing. */
static void test_weightless(void)
{
	struct validation v;

	make_report();
	set_z(1, -1.3, 1.3);
	set_row(1, 2, 1);
	set_row(1, 0, 60);
	v = judge(5);
	ok(v.is_validated, "around Z = 0 the bracket alone decides");
	ok(v.best_within == 2 && v.best == &metrics[0], "for the others, too");
	validation_deinit(&v);
}

static void test_formats(void)
{
	struct strbuf text = STRBUF_INIT, json_text = STRBUF_INIT;
	struct validation v;
	json_error_t error;

	make_report();
	set_row(3, 2, 240);
	v = judge(5);
	validate_text(&report, &v, &text);
	ok(strstr(strbuf_str(&text), "not validated: trial is within 5 % of Z in 2 of 3 cells"),
	   "the text ends with the verdict");
	validate_json(&report, &v, &json_text);

	json_t *json = json_loads(strbuf_str(&json_text), 0, &error);

	ok(strncmp(strbuf_str(&json_text), "{\n  \"tool_version\"", 18) == 0,
	   "the JSON begins with the version");
	is_int(json_array_size(json_object_get(json, "cells")), 3, "and has every cell");
	is_str(json_string_value(json_object_get(json_array_get(json_object_get(json, "cells"), 0), "state")),
	       "off", "with its state");
	ok(json_is_false(json_object_get(json, "is_validated")), "and the verdict");
	json_decref(json);
	validation_deinit(&v);
	strbuf_deinit(&text);
	strbuf_deinit(&json_text);
}

int main(void)
{
	test_verdict();
	test_no_value();
	test_weightless();
	test_formats();
	for (size_t i = 0; i < CELLS; i++)
		cell_deinit(&cells[i]);
	return tap_done();
}
