/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "calibrate/evidence/views.h"
#include "harness/base/file.h"
#include "harness/cmd/cli.h"
#include "harness/cmd/cmd.h"
#include "harness/query/metric.h"

static const char usage[] =
	"usage: swapcal metrics list [--format text|json]\n"
	"       swapcal metrics show NAME\n"
	"       swapcal metrics columns [--format text|json]\n"
	"\n"
	"The metrics that reports apply: what makes one number, in KiB, of the evidence that\n"
	"was taken of a load. Each is a file with one SELECT; swapcal-metrics(7) tells how\n"
	"to write one, and 'swapcal validate' judges it.\n"
	"\n"
	"  list      every metric, with a line on what it is, and for what it is best\n"
	"  show      what a metric means, when it is wrong, its source, and its SQL\n"
	"  columns   the tables a metric can ask, and their columns\n"
	"\n"
	"Options:\n"
	"      --format FMT  text for reading (the default), or json\n"
	"  -h, --help        show this text\n"
	"\n"
	"Example:\n"
	"  swapcal metrics show pss > mine.sql\n";

static void list_json(const struct metric *metrics, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct metric *m = &metrics[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", m->name,
						      "summary", m->summary, "meaning", m->meaning,
						      "wrong_when", m->wrong_when, "source", m->source,
						      "best_for", m->best_for, "sql", m->sql));
	}
	cli_print_json(json_pack("{s:s, s:o}", "tool_version", SWAPCAL_VERSION, "metrics", list));
}

static void list_text(const struct metric *metrics, size_t n)
{
	int width = 0;

	for (size_t i = 0; i < n; i++)
		if ((int)strlen(metrics[i].name) > width)
			width = (int)strlen(metrics[i].name);
	for (size_t i = 0; i < n; i++) {
		printf("%-*s  %s\n", width, metrics[i].name, metrics[i].summary);
		if (*metrics[i].best_for)
			printf("%-*s    best for: %s\n", width, "", metrics[i].best_for);
	}
}

static struct err *list(bool is_json)
{
	struct metric *metrics;
	size_t n;
	struct err *e = metric_load_shipped(&metrics, &n);

	if (e)
		return e;
	(is_json ? list_json : list_text)(metrics, n);
	metrics_free(metrics, n);
	return NULL;
}

/* Prints the file as it is, so that a user can change the copy and try it. */
static struct err *show(const char *name)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct metric m;
	struct err *e = metric_find(name, &m);

	if (e)
		return e;
	e = file_read(m.path, METRIC_BYTES_MAX, &text);
	metric_deinit(&m);
	if (!e)
		cli_print(&text);
	return e;
}

static void columns_json(void)
{
	json_t *tables = json_object();

	for (int v = 0; v < VIEW_COUNT; v++) {
		json_t *names = json_array();
		size_t n;
		const struct view_column *columns = view_columns(v, &n);

		for (size_t i = 0; i < n; i++)
			json_array_append_new(names, json_string(columns[i].name));
		json_object_set_new(tables, view_name(v), names);
	}
	cli_print_json(json_pack("{s:s, s:o}", "tool_version", SWAPCAL_VERSION, "tables", tables));
}

/* As schemas are written, one column a line. */
static void columns_text(void)
{
	for (int v = 0; v < VIEW_COUNT; v++) {
		size_t n;
		const struct view_column *columns = view_columns(v, &n);

		printf("%s\n", view_name(v));
		for (size_t i = 0; i < n; i++)
			printf("  %-22s %s\n", columns[i].name, columns[i].is_text ? "text" : "integer");
	}
}

static struct err *run_verb(int argc, char **argv, const char *verb, bool is_json)
{
	bool is_show = strcmp(verb, "show") == 0;

	if (is_show && optind == argc)
		return err_new_kind(ERR_USAGE, "NAME is missing; see 'swapcal metrics --help'");
	if (argc - optind > is_show)
		return err_new_kind(ERR_USAGE, "'%s': one argument too many; see 'swapcal metrics --help'",
				    argv[optind + is_show]);
	if (is_show)
		return show(argv[optind]);
	if (strcmp(verb, "list") == 0)
		return list(is_json);
	if (strcmp(verb, "columns") == 0) {
		(is_json ? columns_json : columns_text)();
		return NULL;
	}
	return err_new_kind(ERR_USAGE,
			    "'%s' is not one of: list, show, columns; see 'swapcal metrics --help'", verb);
}

struct err *cmd_metrics(int argc, char **argv)
{
	enum cli_format format = CLI_TEXT;
	const struct cli_option options[] = {
		{ "format", .format = &format, .choices = "text|json" },
		{ .name = NULL },
	};
	struct err *e = cli_parse(argc, argv, usage, options);

	if (e)
		return e;
	if (optind == argc)
		return err_new_kind(ERR_USAGE,
				    "one of list, show, columns is missing; see 'swapcal metrics --help'");

	const char *verb = argv[optind++];

	return run_verb(argc, argv, verb, format == CLI_JSON);
}
