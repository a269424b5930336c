/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/alloc.h"
#include "harness/cmd/cli.h"
#include "harness/cmd/cmd.h"
#include "harness/query/metric.h"
#include "harness/plan/plan.h"
#include "harness/report/report.h"
#include "harness/store/store.h"

static const char usage[] =
	"usage: swapcal report FILE [--margin PCT] [--predict MIB[,MIB]...]\n"
	"                      [--format text|csv|json] [--output PATH]\n"
	"\n"
	"The Y-versus-Z tables of a results file: where each guest starts to swap (Z*),\n"
	"and what each metric says at that moment (Y); at the end all metrics, ranked by\n"
	"the largest error that is likely, each with a verdict: is it within the margin?\n"
	"Works during a run too, and never changes the file.\n"
	"\n"
	"Options:\n"
	"  -m, --margin PCT   the largest error that does not matter, in percent of Z\n"
	"                     (default: margin_pct of the plan)\n"
	"      --predict MIB[,MIB]...\n"
	"                     also Z* of guests of so much RAM (32 to 65536 MiB), from the\n"
	"                     line through the Z* of all sizes; not with --format csv\n"
	"      --format FMT   text for reading (the default), csv with a row per cell\n"
	"                     and metric, or json with everything\n"
	"  -o, --output PATH  write to PATH instead of standard output\n"
	"  -h, --help         show this text\n"
	"\n"
	"Examples:\n"
	"  swapcal report night.swapcal --format csv --output night.csv\n"
	"  swapcal report night.swapcal --predict 512,4096\n";

static void (*const writers[CLI_FORMATS])(const struct report *r, struct strbuf *out) = {
	[CLI_TEXT] = report_text,
	[CLI_CSV] = report_csv,
	[CLI_JSON] = report_json,
};

struct options {
	const char *file;
	const char *output;
	enum cli_format format;
	double margin_pct;     /* NAN: that of the plan */
	unsigned *predict_mib; /* owned */
	size_t predict_n, predict_cap;
};

static void options_deinit(struct options *o)
{
	free(o->predict_mib);
}

/* Adds the sizes of a list "512,4096". */
static struct err *parse_predict(const char *value, void *options)
{
	struct options *o = options;
	char *end;

	for (const char *p = value;; p = end + 1) {
		unsigned long mib = strtoul(p, &end, 10);

		if (*p < '0' || *p > '9' || (*end && *end != ',') || mib < PLAN_RAM_MIN_MIB ||
		    mib > PLAN_RAM_MAX_MIB)
			return err_new_kind(
				ERR_USAGE,
				"--predict: '%s' is no list of RAM sizes; use whole numbers of MiB from %d to %d with commas between, as in 512,4096",
				value, PLAN_RAM_MIN_MIB, PLAN_RAM_MAX_MIB);
		*array_push(o->predict_mib, o->predict_n, o->predict_cap) = (unsigned)mib;
		if (!*end)
			return NULL;
	}
}

static struct err *check_options(const struct options *o)
{
	struct stat file, output;

	if (o->predict_n && o->format == CLI_CSV)
		return err_new_kind(ERR_USAGE,
				    "--predict: the CSV has rows of metrics only; use --format text or json");
	/* A report that replaced its results file could not be made again. */
	if (o->output && stat(o->output, &output) == 0 && stat(o->file, &file) == 0 &&
	    output.st_dev == file.st_dev && output.st_ino == file.st_ino)
		return err_new_kind(ERR_USAGE, "--output: '%s' is the results file itself", o->output);
	return NULL;
}

static struct err *build_report(const struct options *o, struct metric *metrics, size_t n,
				struct report **ret)
{
	cleanup(cleanup_store_) struct store *store = NULL;
	struct err *e = store_open(o->file, STORE_READ, &store);

	if (!e)
		e = report_build(store, metrics, n, o->margin_pct, ret);
	/* The CSV has rows only. */
	if (!e && o->format != CLI_CSV)
		e = report_add_costs(*ret, store);
	return e;
}

struct err *cmd_report(int argc, char **argv)
{
	cleanup(options_deinit) struct options o = { .format = CLI_TEXT, .margin_pct = NAN };
	struct metric *metrics;
	size_t n;
	const struct cli_option options[] = {
		{ "FILE", .argument = &o.file },
		{ "margin", 'm', .margin_pct = &o.margin_pct },
		{ "predict", .parse = parse_predict, .to = &o },
		{ "format", .format = &o.format, .choices = "text|csv|json" },
		{ "output", 'o', .text = &o.output },
		{ .name = NULL },
	};
	struct err *e = cli_parse(argc, argv, usage, options);

	if (!e)
		e = check_options(&o);
	if (!e)
		e = metric_load_shipped(&metrics, &n);
	if (e)
		return e;

	cleanup(cleanup_report_) struct report *r = NULL;
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	e = build_report(&o, metrics, n, &r);
	if (!e && o.predict_n)
		e = err_wrap(report_predict(r, o.predict_mib, o.predict_n), "--predict");
	if (!e) {
		writers[o.format](r, &out);
		e = cli_write_output(o.output, &out);
	}
	metrics_free(metrics, n);
	return e;
}
