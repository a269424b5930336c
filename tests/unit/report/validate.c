/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "harness/report/validate.h"
#include "tests/unit/results.h"

/* Verdicts over made-up reports: which cells count, what is within the margin, which metric is best. How sure
 * verdicts are is for tests/sim/agreement.c to show. */

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
static double values[METRICS * CELLS];
static struct report report = { .plan_name = (char *)"night", .run_status = (char *)"done" };

static void set_row(size_t cell, size_t metric, double y_mib)
{
	struct report_row *row = &rows[cell * METRICS + metric];

	row->y_kib = y_mib * 1024;
	row->diff_kib = row->y_kib - row->z.kib;
	row->diff_pct = 100 * row->diff_kib / row->z.kib;
	row->n = isfinite(y_mib);
	values[cell * METRICS + metric] = row->y_kib;
	row->values_kib = &values[cell * METRICS + metric];
}

/* Z is the bracket's middle; NAN: not known. */
static void set_z(size_t cell, double lo_mib, double hi_mib)
{
	for (size_t m = 0; m < METRICS; m++) {
		struct report_row *row = &rows[cell * METRICS + m];

		row->z.lo_kib = lo_mib * 1024;
		row->z.hi_kib = hi_mib * 1024;
		row->z.kib = (row->z.lo_kib + row->z.hi_kib) / 2;
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
	cells[3] = test_cell(3, 256, "growth", "lists", "pypy3", &cells[0]);
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
	report.thresholds = thresholds;
	report.thresholds_n = 2;
	report.metrics = metrics;
	report.metrics_n = METRICS;
	report.cells = cells;
	report.cells_n = CELLS;
	report.rows = rows;
	report.rows_n = METRICS * CELLS;
}

static struct validation v;

static void judge(double margin_pct)
{
	validation_deinit(&v);
	free(report.agreements);
	free(report.loads);
	report.agreements = NULL;
	report.loads = NULL;
	report.agreements_n = 0;
	report.margin_pct = margin_pct;
	report_agree(&report);
	validate_judge(&report, &v);
}

static void test_verdict(void)
{
	make_report();
	set_row(0, 2, 300);
	judge(5);
	ok(v.verdict == AGREEMENT_VALIDATED && v.cells_n == 3 && v.within == 3,
	   "right in every workload's cell is validated");
	ok(v.best == &metrics[0] && v.best_within == 3, "the best shipped metric stands beside it");
	ok(v.has_agreement && v.agreement.agreement.n == 3,
	   "by the agreement over these cells, without the ballast's own");

	/* Errors of 0, 1 and 2 %: sd 1, of which three cells tell little. */
	set_row(2, 2, 101);
	set_row(3, 2, 204);
	judge(5);
	ok(v.verdict == AGREEMENT_UNDECIDED && v.within == 3,
	   "three cells within are no proof that 95 % are");
	ok(v.agreement.agreement.clusters_needed > 3, "it is told how many would be one");
	judge(50);
	ok(v.verdict == AGREEMENT_VALIDATED, "for a wide margin they are enough");
	judge(0.1);
	ok(v.verdict == AGREEMENT_REJECTED && v.off == 2 && v.within == 1,
	   "and for a narrow one to reject it");

	set_row(2, 2, 105.4);
	judge(5);
	ok(v.off == 0, "of a single cell the margin is added to the upper side of the interval");
	set_row(2, 2, 105.6);
	judge(5);
	ok(v.off == 1 && v.within == 2, "beyond it the metric is off");
	ok(v.cells[0].row == &rows[2 * METRICS + 2] && v.cells[0].state == VALIDATE_OFF, "worst first");
	ok(fabs(v.cells[0].distance_pct - 5.1) < 1e-9, "by the distance from the interval, in percent of Z*");

	judge(0.01);
	ok(v.best == &metrics[0], "of two that are never right the nearer one is best");
}

static void test_no_value(void)
{
	make_report();
	set_row(1, 2, NAN);
	set_row(3, 2, 240);
	judge(5);
	ok(v.verdict == AGREEMENT_REJECTED && v.no_value == 1 && v.off == 1 && v.within == 1,
	   "to say nothing is no way out");
	ok(v.cells[0].state == VALIDATE_NO_VALUE && v.cells[1].state == VALIDATE_OFF,
	   "and is worse than to be wrong");

	set_row(3, 2, 200);
	judge(5);
	ok(report.agreements[0].metric == metrics[0].name && report.agreements[2].no_value == 1,
	   "nor to the first place, though it is nearest where it has one");
	set_row(3, 2, 240);

	set_z(1, NAN, NAN);
	judge(5);
	ok(v.cells_n == 2 && v.no_value == 0, "a cell without a Z judges nobody");

	for (size_t cell = 1; cell < CELLS; cell++)
		set_z(cell, NAN, 100);
	judge(5);
	ok(v.cells_n == 0 && v.verdict == AGREEMENT_UNDECIDED && !v.has_agreement, "no cell, no verdict");
}

/* A file of one's own may be called like a shipped metric. */
static void test_same_name(void)
{
	char *own = metrics[2].name;

	make_report();
	metrics[2].name = xstrdup(metrics[1].name);
	for (size_t cell = 0; cell < CELLS; cell++)
		rows[cell * METRICS + 2].metric = metrics[2].name;
	judge(5);
	ok(v.verdict == AGREEMENT_VALIDATED && v.agreement.agreement.pct.bias == 0,
	   "the metric on trial is judged, and not the shipped one of its name");
	free(metrics[2].name);
	metrics[2].name = own;
}

/* Turns a cell into one with a known answer. */
static void make_known(size_t cell)
{
	test_cell_set(&cells[cell], "method", json_string("displacement"));
	test_cell_set(&cells[cell], "workload", json_string("shmem"));
	test_cell_set(&cells[cell], "interpreter", json_string("ballast"));
	test_cell_set(&cells[cell], "kib", json_integer(48 * 1024));
	test_cell_set(&cells[cell], "children", json_integer(0));
	test_cell_set(&cells[cell], "dirty_pct", json_integer(0));
}

/* A load that weighs nothing: Z is 0, and percents of it mean nothing. */
static void test_known(void)
{
	make_report();
	make_known(1);
	set_z(1, -1.3, 1.3);
	set_row(1, 2, 1);
	set_row(1, 0, 60);
	judge(5);
	ok(v.known == 1 && v.known_off == 0 && v.verdict == AGREEMENT_VALIDATED,
	   "around Z = 0 the interval alone decides");
	ok(v.best_within == 2 && v.best == &metrics[0], "for the others, too");
	is_int(v.agreement.agreement.clusters, 2, "it is no part of the agreement");

	set_row(1, 2, 60);
	judge(5);
	ok(v.verdict == AGREEMENT_REJECTED && v.known_off == 1, "one wrong answer is a counterexample");

	make_known(2);
	make_known(3);
	set_row(1, 2, 0);
	judge(5);
	ok(!v.has_agreement && v.known == 3 && v.verdict == AGREEMENT_VALIDATED,
	   "where there is nothing else they decide alone");
}

/*
 * Zeq counts from ramps, so Z* itself need not be known yet. What its cells share is the error of the ramps'
 * mean, here 0.8 MiB of sd by 4 ramps, in percent of Zeq.
 */
static void test_displaced(void)
{
	make_report();
	thresholds[0] = thresholds[1] = (struct report_threshold){
		.z_kib = NAN,
		.estimate.se_kib = NAN,
		.ramp = { .n = 4 },
		.ramps = { .sd_kib = 0.8 * 1024, .within_boot_kib = 0.5 * 1024 },
	};
	for (size_t i = 1; i < CELLS; i++) {
		test_cell_set(&cells[i], "method", json_string("displacement"));
		set_z(i, 39.5, 40.5);
		set_row(i, 2, 40);
	}
	judge(5);
	ok(v.verdict == AGREEMENT_VALIDATED, "Zeq is compared with while Z* is not known");
	ok(isinf(v.cells[0].distance_pct), "of which there is no distance in percent");
	/* Two of three cells are of one guest: sqrt(4 + 1) / 3 of 1 %; t of 2 degrees of freedom. */
	is_near(v.agreement.agreement.pct.bias_ci.hi, 4.302653 * sqrt(5) / 3, 1e-6,
		"the uncertainty of the ramps is in percent of Zeq");

	for (size_t m = 0; m < METRICS; m++)
		rows[1 * METRICS + m].z.resolution_kib = 41 * 1024;
	judge(5);
	is_int(v.agreement.agreement.clusters, 2, "a Zeq below its resolution is no size to compare with");
	for (size_t m = 0; m < METRICS; m++)
		rows[1 * METRICS + m].z.resolution_kib = 0;

	for (int t = 0; t < 2; t++)
		thresholds[t].ramps.sd_kib = NAN;
	judge(5);
	is_near(v.agreement.agreement.pct.bias_ci.hi, 4.302653 * sqrt(5) / 3 * 0.5 / 0.8, 1e-6,
		"of a single ramp its step is what is known");
	thresholds[0] = thresholds[1] = (struct report_threshold){ 0 };
}

static void test_formats(void)
{
	struct strbuf text = STRBUF_INIT, json_text = STRBUF_INIT;
	json_error_t error;

	make_report();
	set_row(3, 2, 213);
	judge(5);
	validate_text(&report, &v, &text);
	has_str(strbuf_str(&text), "within 5 % in 3 of 3 cells; trial in 2\n", "the text counts cells");
	has_str(strbuf_str(&text), "\nundecided: trial at a margin of 5 %: ", "and ends with the verdict");
	has_str(strbuf_str(&text), " loads like these would decide, in four of five such campaigns\n",
		"and what to do about it");
	validate_json(&report, &v, &json_text);

	cleanup(cleanup_json_) json_t *json = json_loads(strbuf_str(&json_text), 0, &error);

	ok(strncmp(strbuf_str(&json_text), "{\n  \"tool_version\"", 18) == 0,
	   "the JSON begins with the version");
	is_int(json_array_size(json_object_get(json, "cells")), 3, "and has every cell");
	is_str(json_string_value(json_object_get(json_array_get(json_object_get(json, "cells"), 0), "state")),
	       "off", "with its state");
	ok(json_is_false(json_object_get(json, "is_validated")), "and whether it is validated");
	is_str(json_string_value(json_object_get(json, "verdict")), "undecided", "and the verdict");
	has_str(json_string_value(json_object_get(json, "reason")), " would decide", "with its reason");
	ok(json_is_array(json_object_get(json_object_get(json, "agreement"), "loa_pct")),
	   "and all of the agreement");
	strbuf_deinit(&text);
	strbuf_deinit(&json_text);
}

static void tear_down(void)
{
	validation_deinit(&v);
	free(report.agreements);
	free(report.loads);
	for (size_t i = 0; i < CELLS; i++)
		cell_deinit(&cells[i]);
}

TAP_MAIN(test_verdict, test_no_value, test_known, test_same_name, test_displaced, test_formats, tear_down)
