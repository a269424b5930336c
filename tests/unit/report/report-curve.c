/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Z*(X) in reports: of made-up thresholds on known lines, and from a file to what the command writes. What
 * the fit itself comes to is tests/unit/stats/curve.c. Runs in the root of the source tree.
 */
#include "harness/cmd/cmd.h"
#include "tests/unit/report/report.h"

/* A report of n guests that have no probes and, yet, no thresholds. */
static struct report *new_report(size_t n)
{
	struct report *r = xcalloc(1, sizeof(*r));

	r->plan_name = xstrdup("night");
	r->run_status = xstrdup("done");
	r->cells = xcalloc(n, sizeof(*r->cells));
	r->thresholds = xcalloc(n, sizeof(*r->thresholds));
	r->margin_pct = 5;
	return r;
}

/* Adds a guest of that X whose Z* is known within a standard error of 0.25 MiB; MemAvailable is 0.9 X. */
static struct report_threshold *add(struct report *r, unsigned x_mib, unsigned swappiness, double z_mib)
{
	struct cell *cell = &r->cells[r->cells_n];
	struct report_threshold *t = &r->thresholds[r->thresholds_n++];

	*cell = test_cell((unsigned)r->cells_n++, x_mib, "threshold", "ballast", "-", NULL);
	test_cell_set(cell, "swappiness", json_integer((json_int_t)swappiness));
	t->cell = cell;
	t->z_kib = z_mib * 1024;
	t->z_lo_kib = t->z_kib - 512;
	t->z_hi_kib = t->z_kib + 512;
	t->estimate.se_kib = 256;
	t->mem_total_kib = x_mib * 1024 * 0.95;
	t->mem_available0_kib = x_mib * 1024 * 0.9;
	t->flags = xstrdup("");
	return t;
}

static void set_flags(struct report_threshold *t, const char *flags)
{
	free(t->flags);
	t->flags = xstrdup(flags);
}

/* What must hold for any text on curves: width, no number that is none, and its place. */
static void check_text(const struct report *r)
{
	cleanup_strbuf struct strbuf curves = STRBUF_INIT;

	report_curves_text(r, &curves);
	ok(widest_line(strbuf_str(&curves)) <= 100, "lines fit in 100 columns");
	ok(!strstr(strbuf_str(&curves), "nan") && !strstr(strbuf_str(&curves), "inf"), "no NaN in the text");
	has_str(text_of(r), strbuf_str(&curves), "it is in the report");
	ok((curves.len > 0) == (r->curves_n > 0), "where there is a curve");
}

static void check_refused(struct report *r, const char *counts)
{
	unsigned x = 512;
	struct err *e = report_predict(r, &x, 1);

	has_str(e ? err_message(e) : NULL, "needs thresholds of guests of at least two sizes",
		"a prediction is refused, and why");
	has_str(e ? err_message(e) : NULL, counts, "and how many there are");
	is_int(e ? err_get_kind(e) : ERR_USAGE, ERR_FAILED, "which is a failure");
	err_free(e);
}

static void test_none(void)
{
	struct report *r = new_report(2);

	report_curves_compute(r);
	is_int(r->curves_n, 0, "no threshold, no curve");
	ok(json_is_array(json_of(r, "curves")) && !json_of(r, "curves/0"),
	   "nor in JSON, which has the list all the same");
	check_refused(r, "has 0 of 0 ");
	report_destroy(r);

	r = new_report(1);
	add(r, 256, 60, 180);
	report_curves_compute(r);
	is_int(r->curves_n, 0, "one size, no curve");
	check_text(r);
	check_refused(r, "has 1 of 1 ");
	report_destroy(r);
}

static void test_two(void)
{
	struct report *r = new_report(2);
	const unsigned x[] = { 512, 1024, 2048 };

	/* In the order of the plan, which need not be that of sizes. */
	add(r, 1024, 60, 900);
	add(r, 256, 60, 132);
	report_curves_compute(r);
	is_int(r->curves_n, 1, "two sizes, a curve");
	is_int(r->curves[0].points[0]->cell->x_mib, 256, "the smallest first");
	must(report_predict(r, x, 3));
	check_text(r);
	has_str(text_of(r),
		"\n  Z* = 1.000 X - 124.0, from 2 sizes, X = 256 to 1024; mean of Z* / MemAvailable 0.775\n",
		"the line and what is beside it");
	has_str(text_of(r), "There are only two points", "no scatter is told, and why");
	has_str(text_of(r), "\n    256    132.0       +0.0\n   1024    900.0       +0.0\n",
		"both points are on it");
	has_str(text_of(r), "\n    512    388.0  -\n   1024    900.0  -\n   2048   1924.0  - ",
		"predictions have no interval");
	has_str(text_of(r), " extrapolated\n", "and one is out of range");
	has_str(text_of(r), "no guest as small, or as large, was measured", "which is explained");

	is_int(json_array_size(json_of(r, "curves/0/predictions")), 3, "predictions in JSON");
	is_near(number_of(r, "curves/0/predictions/0/z_mib"), 388, 0.0005, "of Z*");
	ok(json_is_null(json_of(r, "curves/0/predictions/0/z_pi_lo_mib")) &&
		   json_is_null(json_of(r, "curves/0/predictions/0/z_pi_hi_mib")),
	   "an unknown interval is null");
	ok(json_is_null(json_of(r, "curves/0/scatter_mib")), "and so is the scatter");
	ok(json_is_false(json_of(r, "curves/0/predictions/1/is_extrapolated")) &&
		   json_is_true(json_of(r, "curves/0/predictions/2/is_extrapolated")),
	   "the end of the range is within it");
	report_destroy(r);
}

/* Residuals -1, 2, -1 of a line 1 X - 100: see tests/unit/stats/curve.c for how the scatter follows. */
static void test_three(void)
{
	struct report *r = new_report(3);
	const unsigned x[] = { 400, 40 };

	add(r, 200, 60, 99);
	add(r, 300, 60, 202);
	add(r, 400, 60, 299);
	report_curves_compute(r);
	has_str(text_of(r), "Z* = 1.000 X - 100.0, from 3 sizes, X = 200 to 400;", "a line");
	/* 6 / (0.25^2 + scatter^2) = 1 */
	has_str(text_of(r), "uncertain by: 2.4\n", "the scatter");
	has_str(text_of(r), "\n    200     99.0       -1.0\n    300    202.0       +2.0\n", "residuals");
	ok(!strstr(text_of(r), "prediction interval"), "no prediction that was not asked for");

	is_int(number_of(r, "curves/0/n"), 3, "JSON: n");
	is_near(number_of(r, "curves/0/slope"), 1, 1e-9, "slope");
	is_near(number_of(r, "curves/0/intercept_mib"), -100, 1e-9, "intercept");
	is_near(number_of(r, "curves/0/scatter_mib"), sqrt(6 - 0.0625), 0.0005, "scatter");
	ok(number_of(r, "curves/0/x_lo_mib") == 200 && number_of(r, "curves/0/x_hi_mib") == 400, "range");
	is_near(number_of(r, "curves/0/available_ratio"), (99 / 180.0 + 202 / 270.0 + 299 / 360.0) / 3,
		0.0005, "ratio");
	is_near(number_of(r, "curves/0/points/1/residual_mib"), 2, 0.0005, "residual of a point");
	is_int(json_array_size(json_of(r, "curves/0/predictions")), 0, "no predictions");
	is_int(json_object_size(json_of(r, "curves/0/settings")), 0, "nothing but X varies");

	must(report_predict(r, x, 2));
	must(report_predict(r, x, 2));
	is_int(r->curves[0].predictions_n, 2, "what is predicted again is predicted once");
	check_text(r);
	/* Variances 6 (1/3 + 1/2) + 5.9375 + 0.0625 = 11, times 12.706 for one degree of freedom. */
	has_str(text_of(r), "\n    400    300.0  [257.9, 342.1]\n", "the interval of a prediction");
	is_near(number_of(r, "curves/0/predictions/0/z_pi_hi_mib"), 300 + 12.7062 * sqrt(11), 0.01,
		"the same in JSON");
	report_destroy(r);
}

/* Guests that differ in more than X are on lines of their own; what cannot be used is on none. */
static void test_groups(void)
{
	static const unsigned sizes[] = { 256, 512, 1024, 2048, 65536 };
	struct report *r = new_report(15);
	unsigned x = 768;

	for (size_t i = 0; i < 5; i++) {
		add(r, sizes[i], 60, 0.9 * sizes[i] - 20);
		add(r, sizes[i], 1, 0.8 * sizes[i] + 10);
	}
	add(r, 256, 100, 200);
	add(r, 512, 100, NAN);
	set_flags(add(r, 1024, 100, 700), "z-unfinished,z-open");
	set_flags(add(r, 2048, 100, 1500), "no-threshold");
	add(r, 4096, 100, 3000)->estimate.se_kib = 0;
	report_curves_compute(r);
	is_int(r->curves_n, 2, "two swappinesses, two curves; of the third one threshold can be used");
	is_int(r->curves[0].n, 5, "five sizes");
	is_near(r->curves[0].fit.slope_kib_per_mib / 1024, 0.9, 1e-9, "the first slope");
	is_near(r->curves[1].fit.slope_kib_per_mib / 1024, 0.8, 1e-9, "the second");
	must(report_predict(r, &x, 1));
	check_text(r);
	has_str(text_of(r), "\n\n  swappiness 60:\n  Z* = 0.900 X - 20.0, from 5 sizes", "named in the text");
	has_str(text_of(r), "\n\n  swappiness 1:\n  Z* = 0.800 X + 10.0, from 5 sizes", "both");
	has_str(text_of(r), "\n    768    624.4  [623.5, 625.3]\n", "and each predicts");

	is_int(number_of(r, "curves/1/settings/swappiness"), 1, "JSON has what distinguishes them");
	report_destroy(r);
}

/* Unstable searches have an answer, though a poor one, and it says how poor. */
static void test_flags(void)
{
	struct report *r = new_report(2);

	set_flags(add(r, 256, 60, 180), "unstable-threshold");
	set_flags(add(r, 512, 60, 400), "searches-disagree,z-unfinished");
	report_curves_compute(r);
	is_int(r->curves_n, 1, "other doubts do not exclude a threshold");
	report_destroy(r);
}

/* A file with searches in guests of n sizes: of 256 MiB from 180 on, and 64 MiB more for each 64. */
static void make_file(unsigned n)
{
	begin(NULL);
	for (unsigned i = 0; i < n; i++) {
		cleanup_cell struct cell guest =
			test_cell(i, 256 + 64 * i, "threshold", "ballast", "-", NULL);

		put_cell(&guest);
		test_search(store, run, &guest, 0, 180 + 64 * i);
	}
	must(store_end_run(store, run, "done"));
	store_close(store);
}

/* Runs `swapcal report FILE --predict VALUE --format FORMAT --output OUT`: its output, or "". */
static struct err *command(const char *value, const char *format, struct strbuf *output)
{
	cleanup_free char *to = xasprintf("%s/out", dir);
	char *argv[] = { (char *)"report",
			 path,
			 (char *)"--predict",
			 (char *)value,
			 (char *)"--format",
			 (char *)format,
			 (char *)"--output",
			 to,
			 NULL };

	unlink(to);

	struct err *e = cmd_report(8, argv);

	strbuf_clear(output);
	if (access(to, F_OK) == 0)
		must(file_read(to, 1 << 20, output));
	return e;
}

static void check_usage(const char *value, const char *format, const char *message)
{
	cleanup_strbuf struct strbuf output = STRBUF_INIT;
	struct err *e = command(value, format, &output);
	cleanup_free char *what = xasprintf("--predict '%s' --format %s is refused", value, format);

	has_str(e ? err_message(e) : NULL, message, what);
	ok(e && err_get_kind(e) == ERR_USAGE && !output.len, "as wrong usage, and nothing is written");
	err_free(e);
}

static void test_command(void)
{
	static const char *const wrong[] = {
		"",     "512,", ",512", "512,,1024", "31", "65537", "512 MiB",
		"51.2", "-512", "+512", " 512",      "x",  "0x200", "99999999999999999999999"
	};
	cleanup_strbuf struct strbuf output = STRBUF_INIT;

	make_file(3);
	must(command("32,320,65536", "text", &output));
	has_str(strbuf_str(&output), "\nZ* as a function of X, in MiB\n\n  Z* = 1.0", "a curve from a file");
	has_str(strbuf_str(&output), "\n    320    243.", "with what was asked for");
	has_str(strbuf_str(&output), "\n  65536 ", "up to the largest guest");
	must(command("320", "json", &output));
	has_str(strbuf_str(&output), "\"is_extrapolated\": false", "predictions in JSON");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		check_usage(wrong[i], "text", "whole numbers of MiB from 32 to 65536 with commas between");
	check_usage("512", "csv", "use --format text or json");

	make_file(1);

	struct err *e = command("512", "text", &output);

	has_str(e ? err_message(e) : NULL, "--predict: no Z* can be predicted", "one size predicts nothing");
	ok(e && err_get_kind(e) == ERR_FAILED && !output.len, "which is an error instead of a report");
	err_free(e);
}

RUN_REPORTS(test_none, test_two, test_three, test_groups, test_flags, test_command)
