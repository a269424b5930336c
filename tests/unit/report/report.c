/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <sys/stat.h>

#include "harness/cmd/cmd.h"
#include "tests/unit/report/report.h"

/*
 * Reports over made-up campaigns whose every number is known: complete, and with each thing missing that can
 * be. Runs in the root of the source tree.
 */

#define CSV_HEADER                                                                                           \
	"cell,x_mib,mem_total_kib,mem_available0_kib,kernel,accel,swappiness,thp,mglru,method,workload,"     \
	"interpreter,processes,launch,size,metric,y_mib,y_lo_mib,y_hi_mib,z_mib,z_lo_mib,z_hi_mib,diff_mib," \
	"diff_pct,n,flags,drift_mib,closure_mib,lru,weighing\n"

static double diff(double y_mib, const struct report_threshold *t)
{
	return y_mib - t->z_kib / 1024;
}

static double diff_pct(double y_mib, const struct report_threshold *t)
{
	return 100 * diff(y_mib, t) / (t->z_kib / 1024);
}

static void check_json(const struct report *r)
{
	has_str(form_of(r, report_json), "{\n  \"tool_version\": \"0.1.0\",\n  \"schema_version\": 1,",
		"JSON begins with its versions");
	has_str(form_of(r, report_json), "\"y_mib\": 178.5,", "numbers in JSON have no tail of digits");
	is_int(json_array_size(json_of(r, "rows")), r->rows_n, "JSON has every row");
	is_near(number_of(r, "rows/2/y_mib"), 178.5, 0, "the same Y in JSON");
	is_near(number_of(r, "rows/2/diff_pct"), diff_pct(178.5, &r->thresholds[0]), 0.006,
		"the same difference in JSON");
	is_int(json_array_size(json_of(r, "agreement")), 2, "JSON has the agreement of each metric");
	is_str(string_of(r, "agreement/0/metric"), "anonymous_swap", "the best first");
	is_str(string_of(r, "picked/verdict"), "rejected", "and a verdict on it");
}

/* n = 3 and n = 1 in a guest that swaps from 180 MiB on: all that is computed, in CSV, to the digit. */
static void test_complete(void)
{
	cleanup_cell struct cell g1 = test_cell(1, 256, "growth", "strings", "python3", &z);
	cleanup_cell struct cell g3 = test_cell(2, 256, "growth", "strings", "pypy3", &z);

	g3.replicates = 3;
	begin(&z);
	put_cell(&g1);
	put_cell(&g3);
	test_search(store, run, &z, 0, 180);
	put_growth(&g1, 0, 177 * 1024, 1536, "");
	for (unsigned i = 0; i < 3; i++)
		put_growth(&g3, i, (190 + i * i) * 1024, 512, i == 1 ? "b,a" : i == 2 ? "a,\"c" : "");

	cleanup_report struct report *r = finish();
	const struct report_threshold *t = &r->thresholds[0];
	cleanup_free char *zs =
		xasprintf("%.3f,%.3f,%.3f", t->z_kib / 1024, t->z_lo_kib / 1024, t->z_hi_kib / 1024);
	cleanup_free char *head = xasprintf("256,223596,199724,6.1.0-49-cloud-amd64,tcg,60,never,false");
	cleanup_free char *want = xasprintf(
		CSV_HEADER
		"%1$.12s,%4$s,threshold,ballast,-,1,-,-,anonymous_swap,,,,%5$s,,,0,no-value,,,virgin,usual\n"
		"%1$.12s,%4$s,threshold,ballast,-,1,-,-,rss,,,,%5$s,,,0,no-value,,,virgin,usual\n"
		"%2$.12s,%4$s,growth,strings,python3,1,independent,"
		"small,anonymous_swap,178.500,178.500,178.500,%5$s,%6$.3f,%7$.2f,1,,,,virgin,usual\n"
		"%2$.12s,%4$s,growth,strings,python3,1,independent,"
		"small,rss,177.000,177.000,177.000,%5$s,%8$.3f,%9$.2f,1,,,,virgin,usual\n"
		"%3$.12s,%4$s,growth,strings,pypy3,1,independent,"
		"small,anonymous_swap,192.167,190.500,194.500,%5$s,%10$.3f,%11$.2f,3,\"b,a,\"\"c\",,,virgin,usual\n"
		"%3$.12s,%4$s,growth,strings,pypy3,1,independent,"
		"small,rss,191.667,190.000,194.000,%5$s,%12$.3f,%13$.2f,3,\"b,a,\"\"c\",,,virgin,usual\n",
		z.key, g1.key, g3.key, head, zs, diff(178.5, t), diff_pct(178.5, t), diff(177, t),
		diff_pct(177, t), diff(576.5 / 3, t), diff_pct(576.5 / 3, t), diff(575.0 / 3, t),
		diff_pct(575.0 / 3, t));

	/* The guest swaps from 180 MiB on and not at 179.5: somewhere in between. */
	ok(t->z_kib > 179.5 * 1024 && t->z_kib < 180 * 1024, "Z* is where it is");
	ok(t->z_lo_kib > 179 * 1024 && t->z_lo_kib < t->z_kib && t->z_hi_kib > t->z_kib &&
		   t->z_hi_kib < 180.5 * 1024,
	   "and known within half a MiB");
	is_str(csv_of(r), want, "CSV of a complete campaign, byte by byte");
	has_str(text_of(r), "swappiness 60", "the text names what all cells share");
	has_str(text_of(r), "bracket [179.5, 180.0], 0 of ", "the text has the bracket of Z*");
	has_str(text_of(r), "(separated: maybe 0)", "and that the answers do not overlap");
	has_str(text_of(r), "-7.9 %", "the text has Z* against MemAvailable");
	has_str(text_of(r), "\n  * anonymous_swap                178.5  ", "the text marks the best");
	has_str(text_of(r), "\n    rss                           177.0  ", "and only the best");
	has_str(text_of(r), "Smallest likely error: anonymous_swap.",
		"and names the best over all workloads");
	has_str(text_of(r), "2 loads in 2 cells; each bound at 97.50 %", "by how many loads");
	has_str(text_of(r), "     2  rejected\n", "of which two loads tell that 5 % are too little");
	ok(!strstr(text_of(r), "Not measured"), "nothing is missing");
	ok(widest_line(text_of(r)) <= 100, "lines fit in 100 columns");
	check_json(r);
}

/* 4 KiB apart: both are shown as -2.8, though only one is best. */
static void test_equal_digits(void)
{
	cleanup_cell struct cell g = test_cell(1, 256, "growth", "strings", "python3", &z);

	begin(&z);
	put_cell(&g);
	test_search(store, run, &z, 0, 180);
	put_growth(&g, 0, 177 * 1024, 4, "");

	cleanup_report struct report *r = finish();

	ok(row_of(r, "python3", "anonymous_swap")->is_best && !row_of(r, "python3", "rss")->is_best,
	   "one metric is best");
	has_str(text_of(r), "\n  * anonymous_swap                177.0  ", "the text marks it");
	has_str(text_of(r), "\n  * rss                           177.0  ", "and the one that looks the same");
	has_str(text_of(r), "anonymous_swap is undecided: ", "of one cell nothing follows");
}

/* A ramp's ballast asks for more than it holds at onset: it tells where to search, and no Y. */
static void test_control(void)
{
	struct probe_record ramp = test_probe(&z, 0, 0, PROBE_RAMP, 0, OUTCOME_ONSET);
	struct probe_record fixed = test_probe(&z, 0, 1, PROBE_FIXED, 180 * 1024, OUTCOME_ONSET);

	begin(&z);
	ramp.load_pages = 180 * 256;
	test_heap(test_snapshot(&ramp, "onset"), 7, 400 * 1024, 0);
	put_probe(ramp);
	test_heap(test_snapshot(&fixed, "onset"), 7, 179 * 1024, 1024);
	put_probe(fixed);

	cleanup_report struct report *r = finish();
	const struct report_row *row = row_of(r, "-", "rss");

	is_int(row->n, 1, "Y of the control is that of its fixed probes");
	is_near(row->y_hi_kib / 1024, 179, 0, "and of no ramp");
	is_int(r->thresholds[0].answers, 2, "which counts as an answer to the search");
}

static void test_no_onset(void)
{
	cleanup_cell struct cell g = test_cell(1, 256, "growth", "strings", "pypy3", &z);

	begin(&z);
	put_cell(&g);
	test_search(store, run, &z, 0, 180);
	put_probe(test_probe(&g, 0, 0, PROBE_GROWTH, 0, OUTCOME_NO_ONSET));

	cleanup_report struct report *r = finish();
	const struct report_row *row = row_of(r, "pypy3", "rss");

	is_str(row->flags, "no-onset", "a load that never made the guest swap has no Y");
	is_int(row->n, 0, "and n is 0");
	ok(isnan(row->y_kib) && isnan(row->diff_kib), "nothing is computed from it");
	is_near(row->threshold->z_kib / 1024, 179.75, 0.25, "Z* is there all the same");
	is_str(r->gaps[0].what, "no-onset", "and it is told under what was not measured");
}

static void test_incomplete_evidence(void)
{
	cleanup_cell struct cell g = test_cell(0, 256, "growth", "strings", "python3", NULL);
	struct probe_record p = test_probe(&g, 0, 0, PROBE_GROWTH, 0, OUTCOME_ONSET);
	struct snapshot *s = test_snapshot(&p, "onset");

	test_heap(s, 7, 1024, 0);
	test_evidence(s, 8, "smaps", "nonsense\n");
	begin(&g);
	put_probe(p);

	cleanup_report struct report *r = finish();

	has_str(row_of(r, "python3", "rss")->flags, "incomplete-evidence",
		"a process that cannot be read is a doubt");
}

/* Runs `swapcal report PATH --output OUTPUT`. */
static struct err *command(const char *output)
{
	char *argv[] = { (char *)"report", path, (char *)"--output", (char *)output, NULL };

	return cmd_report(4, argv);
}

static void test_output(void)
{
	cleanup_free char *link_path = xasprintf("%s/link", dir), *pipe_path = xasprintf("%s/pipe", dir);
	char before[65] = "", after[65] = "1", buf[16384] = "";
	struct stat st;

	begin(NULL);
	report_destroy(finish());
	must(file_sha256(path, before));
	if (symlink(path, link_path) || mkfifo(pipe_path, 0600))
		must(err_new("cannot make a link and a pipe"));

	struct err *e = command(link_path);

	has_str(e ? err_message(e) : NULL, "is the results file itself",
		"a report over its own source is refused");
	must(file_sha256(path, after));
	is_str(after, before, "and nothing is lost");
	err_free(e);

	int reader = open(pipe_path, O_RDONLY | O_NONBLOCK);

	must(command(pipe_path));
	ok(read(reader, buf, sizeof(buf) - 1) > 0 && strncmp(buf, "Plan night\n", 11) == 0,
	   "what is no file is written to");
	ok(stat(pipe_path, &st) == 0 && S_ISFIFO(st.st_mode), "and stays what it is");
	close(reader);
}

static void test_nothing_at_all(void)
{
	begin(NULL);

	cleanup_report struct report *r = finish();

	is_str(csv_of(r), CSV_HEADER, "CSV without cells is its header");
	has_str(text_of(r), "has no cells yet", "the text says so");
}

RUN_REPORTS(test_complete, test_equal_digits, test_control, test_no_onset, test_incomplete_evidence,
	    test_nothing_at_all, test_output)
