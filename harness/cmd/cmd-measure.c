/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <limits.h>

#include "harness/cmd/cli.h"
#include "harness/cmd/cmd.h"
#include "harness/measure/measure.h"

static const char usage[] =
	"usage: swapcal measure [OPTION]... -- COMMAND [ARGUMENT]...\n"
	"       swapcal measure [OPTION]... --pid PID\n"
	"\n"
	"The memory of a command and all its children on this machine: maximum and average of every\n"
	"metric, no guest needed. The command has our standard input, output and error; the table is\n"
	"printed when it has ended, so where the command prints too, take --output. Its processes are\n"
	"read one after the other and not stopped for that, which can make sums over many busy processes\n"
	"a little wrong. A command that speaks the workload protocol waits at its checkpoints: then\n"
	"maximum and average are over these.\n"
	"\n"
	"Options:\n"
	"      --baseline COMMAND  first measure COMMAND, run by a shell, and show what is over it\n"
	"      --interval MS       time between samples, 1 to 60000; default 50. Shorter at first,\n"
	"                          longer where a sample takes more than 4 % of the time\n"
	"      --pid PID           measure a process that runs, and its children, until it ends,\n"
	"                          Ctrl-C, or the duration is over\n"
	"      --duration S        of --pid: at most so many seconds\n"
	"      --format FMT        text for reading (the default), csv with a row per metric, or json\n"
	"                          with everything; sizes in KiB\n"
	"  -o, --output PATH       write to PATH instead of standard output\n"
	"  -h, --help              show this text\n"
	"\n"
	"Examples:\n"
	"  swapcal measure -- python3 job.py\n"
	"  swapcal measure --baseline 'exec python3 /dev/null' --format csv -o m.csv -- python3 job.py\n"
	"\n"
	"Exit status: 0 measured, 1 failed or the command failed, 2 wrong usage, 130 interrupted; what was\n"
	"measured until then is printed in the last case too, and when the command failed.\n";

static void (*const writers[CLI_FORMATS])(const struct measure_report *r, struct strbuf *out) = {
	[CLI_TEXT] = measure_text,
	[CLI_CSV] = measure_csv,
	[CLI_JSON] = measure_json,
};

struct options {
	struct measure_target target;
	const char *baseline, *output;
	enum cli_format format;
	unsigned pid, duration_s; /**< 0: not given */
};

/* A command or a process, and only what goes with it. */
static struct err *check_options(int argc, char **argv, struct options *o)
{
	if (o->target.pid && optind < argc)
		return err_new_kind(ERR_USAGE, "--pid: '%s': a command cannot be measured as well",
				    argv[optind]);
	if (!o->target.pid && optind == argc)
		return err_new_kind(ERR_USAGE, "a command or --pid is missing; see 'swapcal %s --help'",
				    argv[0]);
	if (o->target.pid && o->baseline)
		return err_new_kind(ERR_USAGE, "--baseline goes with a command, not with --pid");
	if (!o->target.pid && o->target.duration_ms)
		return err_new_kind(ERR_USAGE, "--duration goes with --pid, not with a command");
	if (o->target.pid)
		o->target.argv = NULL;
	return NULL;
}

static struct err *parse_options(int argc, char **argv, struct options *o)
{
	const struct cli_option options[] = {
		{ "baseline", .text = &o->baseline },
		{ "interval", .count = &o->target.interval_ms, .min = 1, .max = 60000 },
		{ "pid", .count = &o->pid, .min = 1, .max = INT_MAX },
		/* A year. */
		{ "duration", .count = &o->duration_s, .min = 1, .max = 366 * 86400 },
		{ "format", .format = &o->format, .choices = "text|csv|json" },
		{ "output", 'o', .text = &o->output },
		{ "COMMAND", .command = &o->target.argv },
		{ .name = NULL },
	};
	struct err *e = cli_parse(argc, argv, usage, options);

	o->target.pid = (pid_t)o->pid;
	o->target.duration_ms = (int64_t)o->duration_s * 1000;
	return e ? e : check_options(argc, argv, o);
}

static struct err *status_error(const char *what, int wait_status)
{
	cleanup_strbuf struct strbuf status = STRBUF_INIT;

	measure_add_status(&status, wait_status);
	if (!status.len)
		return NULL;
	return err_new("%s %s", what, strbuf_str(&status));
}

/* The error of a run that could be measured. */
static struct err *run_error(const char *what, const struct measure_run *run)
{
	if (run->is_interrupted)
		return err_new_kind(ERR_INTERRUPTED,
				    "stopped on request; what was measured until then is shown");
	return status_error(what, run->wait_status);
}

/* A baseline that fails makes the comparison pointless. */
static struct err *measure_baseline(const struct options *o, const struct measure_metrics *metrics,
				    struct measure_run *ret)
{
	const char *const argv[] = { "sh", "-c", o->baseline, NULL };
	struct measure_target target = { .argv = argv, .interval_ms = o->target.interval_ms };
	struct measure_run run;
	struct err *e = measure_run(&target, metrics, &run);

	if (e)
		return err_wrap(e, "--baseline");
	e = run.is_interrupted ? err_new_kind(ERR_INTERRUPTED, "stopped on request during the baseline")
			       : status_error("--baseline: the command", run.wait_status);
	/* measure_run() would find them again among the children of the command. */
	if (!e && run.left_behind)
		e = err_new("--baseline: %zu of its processes still run after its end", run.left_behind);
	if (e)
		measure_run_deinit(&run);
	else
		*ret = run;
	return e;
}

static struct err *measure(const struct options *o, const struct measure_metrics *metrics)
{
	cleanup(measure_run_deinit) struct measure_run baseline = { 0 }, run = { 0 };
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	struct err *e = o->baseline ? measure_baseline(o, metrics, &baseline) : NULL;

	if (!e)
		e = measure_run(&o->target, metrics, &run);
	if (e)
		return e;

	const struct measure_report report = {
		.target = &o->target,
		.metrics = metrics,
		.run = &run,
		.baseline_command = o->baseline,
		.baseline = o->baseline ? &baseline : NULL,
	};

	writers[o->format](&report, &out);
	e = cli_write_output(o->output, &out);
	return e ? e : run_error("the command", &run);
}

struct err *cmd_measure(int argc, char **argv)
{
	struct options o = { .target.interval_ms = 50, .format = CLI_TEXT };
	cleanup(measure_metrics_deinit) struct measure_metrics metrics = { 0 };
	struct err *e = parse_options(argc, argv, &o);

	if (!e)
		e = measure_metrics_load(&metrics);
	return e ? e : measure(&o, &metrics);
}
