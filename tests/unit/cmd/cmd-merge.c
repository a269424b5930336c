/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `swapcal merge` makes of its command line, and of files that contradict each other. */

#include "harness/cmd/cmd.h"
#include "tests/unit/results.h"

/* A file with an answer, at that second, to the one replicate of its cell. */
static void make_file(const char *path, double started_s)
{
	cleanup(cell_deinit) struct cell cell = test_cell(0, 128, "threshold", "ballast", "-", NULL);
	struct probe_record r = test_probe(&cell, 0, 0, PROBE_RAMP, 0, OUTCOME_ONSET);

	r.started_s = started_s;
	test_put_alone(path, &cell, r);
}

static struct err *run(const char *a, const char *b, const char *c)
{
	char *argv[] = { (char *)"merge", (char *)a, (char *)b, (char *)c, NULL };

	return cmd_merge(1 + !!a + !!b + !!c, argv);
}

int main(void)
{
	static const char a[] = "a", b[] = "b", out[] = "out";

	test_enter_dir();
	make_file(a, 100);
	make_file(b, 200);
	is_err_kind(run(NULL, NULL, NULL), ERR_USAGE, "OUT is missing", "a name for the result is needed");
	is_err_kind(run(out, NULL, NULL), ERR_USAGE, "FILE is missing", "and a file");
	is_err_kind(run("--nonesuch", out, a), ERR_USAGE, "unknown option", "an option that there is not");
	is_err_kind(run(a, b, NULL), ERR_USAGE, "already exists", "a result that is there");
	is_err_kind(run(out, a, b), ERR_FAILED, "1 conflict, so ", "two answers to one question");
	ok(!file_exists(out), "make no file");
	no_err(run(out, a, a), "one answer that is there twice");
	ok(file_exists(out), "makes one");
	return tap_done();
}
