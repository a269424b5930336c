/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "harness/base/cleanup.h"
#include "harness/cli.h"
#include "harness/cmd.h"
#include "harness/status.h"
#include "harness/store.h"

static const char usage[] = "usage: swapcal status FILE [--format text|json]\n"
			    "\n"
			    "How far the campaign of a results file is, how long the rest may take, and\n"
			    "which probes gave no answer and why. Works during a run too, and never\n"
			    "changes the file.\n"
			    "\n"
			    "Options:\n"
			    "      --format FMT  text (the default) or json\n"
			    "  -h, --help        show this text\n"
			    "\n"
			    "Example:\n"
			    "  swapcal status night.swapcal\n";

struct options {
	const char *file;
	bool json;
	bool help;
};

static struct err *parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longopts[] = {
		{ "format", required_argument, NULL, 'F' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};

	struct err *e = NULL;

	cli_start_options();
	for (int c; !e && (c = cli_next_option(argc, argv, ":h", longopts)) != -1;) {
		if (c == 'h')
			o->help = true;
		else if (c == 'F')
			e = cli_parse_format(optarg, &o->json);
		else
			e = cli_option_error(c, argv);
	}
	if (e || o->help)
		return e;
	return cli_one_argument(argc, argv, "FILE", &o->file);
}

struct err *cmd_status(int argc, char **argv)
{
	cleanup(cleanup_store_) struct store *store = NULL;
	cleanup(cleanup_status_) struct status *status = NULL;
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	struct options o = { .json = false };
	struct err *e = parse_options(argc, argv, &o);

	if (e)
		return e;
	if (o.help) {
		fputs(usage, stdout);
		return NULL;
	}
	e = store_open(o.file, STORE_READ, &store);
	if (!e)
		e = status_build(store, &status);
	if (e)
		return e;
	(o.json ? status_json : status_text)(status, &out);
	fwrite(out.data, 1, out.len, stdout);
	return NULL;
}
