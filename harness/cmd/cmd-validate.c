/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "harness/cmd/cli.h"
#include "harness/cmd/cmd.h"
#include "harness/query/metric.h"
#include "harness/report/validate.h"

static const char usage[] =
	"usage: swapcal validate METRIC FILE [--margin PCT] [--format text|json]\n"
	"\n"
	"Does a metric predict swapping? Asks it of the evidence in a results file, without\n"
	"starting a guest, and compares its Y with Z in every workload's cell, worst first.\n"
	"METRIC is a name of 'swapcal metrics list', or the path of a file with one SELECT\n"
	"that gives snapshot_id and y_kib; swapcal-metrics(7) tells what it can ask. The\n"
	"query can read those tables and do nothing else; the results file stays as it is.\n"
	"\n"
	"Over the workloads of the file the metric is 'validated' when 95 % of its errors lie\n"
	"within the margin, 'rejected' when a limit of these 95 % lies beyond it, each at\n"
	"95 % confidence, and else\n"
	"'undecided', with how many more probes would decide. A known-answer load where Y is\n"
	"off, or a cell where the metric has no value, rejects it. The exit status is 0 when\n"
	"validated, 4 when not, 2 when the query is wrong.\n"
	"\n"
	"Options:\n"
	"  -m, --margin PCT  how far Y may be off, in percent of Z (default: margin_pct of\n"
	"                    the plan)\n"
	"      --format FMT  text for reading (the default), or json with everything\n"
	"  -h, --help        show this text\n"
	"\n"
	"Examples:\n"
	"  swapcal validate pss night.swapcal\n"
	"  swapcal validate ./mine.sql night.swapcal --margin 2%\n";

struct options {
	const char *metric, *file;
	double margin_pct;
	enum cli_format format;
};

static struct err *print_verdict(const struct options *o, const struct report *r)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	cleanup(validation_deinit) struct validation v = { 0 };

	validate_judge(r, &v);
	(o->format == CLI_JSON ? validate_json : validate_text)(r, &v, &out);
	cli_print(&out);
	return v.verdict == AGREEMENT_VALIDATED
		       ? NULL
		       : err_new_kind(ERR_UNSTABLE, "metric '%s' is %s", v.metric->name,
				      agreement_verdict_name(v.verdict));
}

static struct err *validate(const struct options *o, const struct metric *metrics, size_t n)
{
	cleanup(cleanup_store_) struct store *store = NULL;
	cleanup(cleanup_report_) struct report *r = NULL;
	struct err *e = store_open(o->file, STORE_READ, &store);

	if (!e)
		e = report_build(store, metrics, n, o->margin_pct, &r);
	return e ? e : print_verdict(o, r);
}

struct err *cmd_validate(int argc, char **argv)
{
	struct options o = { .margin_pct = NAN };
	struct metric *metrics;
	size_t n;
	const struct cli_option options[] = {
		{ "METRIC", .argument = &o.metric },
		{ "FILE", .argument = &o.file },
		{ "margin", 'm', .margin_pct = &o.margin_pct },
		{ "format", .format = &o.format, .choices = "text|json" },
		{ .name = NULL },
	};
	struct err *e = cli_parse(argc, argv, usage, options);

	if (!e)
		e = metric_load_trial(o.metric, &metrics, &n);
	if (e)
		return e;
	e = validate(&o, metrics, n);
	metrics_free(metrics, n);
	return e;
}
