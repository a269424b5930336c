/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/cleanup.h"
#include "harness/cmd.h"
#include "harness/status.h"
#include "harness/store.h"

DEFINE_CLEANUP(cleanup_store, struct store *, store_close)

static const char usage[] = "Usage: swapcal status FILE [--format text|json]\n"
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

	opterr = 0;
	optind = 0; /* glibc: start anew */
	for (int c; (c = getopt_long(argc, argv, ":h", longopts, NULL)) != -1;) {
		if (c == 'h')
			o->help = true;
		else if (c == 'F' && (strcmp(optarg, "text") == 0 || strcmp(optarg, "json") == 0))
			o->json = optarg[0] == 'j';
		else if (c == 'F')
			return err_new_kind(ERR_USAGE, "--format: '%s' is not known; use 'text' or 'json'",
					    optarg);
		else
			return err_new_kind(ERR_USAGE, "'%s': %s; see 'swapcal status --help'",
					    argv[optind - 1],
					    c == ':' ? "the value is missing" : "unknown option");
	}
	if (o->help)
		return NULL;
	if (optind == argc)
		return err_new_kind(ERR_USAGE, "FILE is missing, as in 'swapcal status night.swapcal'");
	if (argc - optind > 1)
		return err_new_kind(ERR_USAGE, "'%s': one argument too many", argv[optind + 1]);
	o->file = argv[optind];
	return NULL;
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
