/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "harness/base/cancel.h"
#include "harness/cmd/cli.h"
#include "harness/cmd/cmd.h"
#include "harness/campaign/status.h"
#include "harness/store/store.h"

/* What runs just now is shown anew each second. */
#define FOLLOW_MS 1000

static const char usage[] = "usage: swapcal status FILE [--follow] [--format text|json]\n"
			    "\n"
			    "How far the campaign of a results file is, what runs just now, how long the\n"
			    "rest may take, and which probes gave no answer and why. Works during a run\n"
			    "and after it, and never changes the file.\n"
			    "\n"
			    "Options:\n"
			    "  -f, --follow      again and again until no run is under way: each second on\n"
			    "                    a terminal, else after each finished probe\n"
			    "      --format FMT  text (the default) or json; followed, one object a line\n"
			    "  -h, --help        show this text\n"
			    "\n"
			    "Example:\n"
			    "  swapcal status night.swapcal --follow\n";

struct options {
	const char *file;
	bool follow;
	enum cli_format format;
};

/** The status as of now, in the form asked for. */
static struct err *look(const struct options *o, struct strbuf *out, struct status **ret)
{
	cleanup(cleanup_store_) struct store *store = NULL;
	struct err *e = store_open(o->file, STORE_READ, &store);

	if (!e)
		e = status_build(store, ret);
	if (!e)
		(o->format == CLI_TEXT ? status_text : o->follow ? status_json_line : status_json)(*ret, out);
	return e;
}

static unsigned count_probes(const struct status *s)
{
	unsigned n = 0;

	for (int i = 0; i < STATUS_OUTCOMES; i++)
		n += s->by_outcome[i];
	return n;
}

/** Puts a new view in the place of the old one on a terminal, after it elsewhere. */
static void show(const struct strbuf *out, bool is_terminal)
{
	if (is_terminal)
		fputs("\033[H\033[J", stdout);
	cli_print(out);
	fflush(stdout);
}

/** Shows the status until no run is under way: on a terminal each second, else after each finished probe. */
static struct err *follow(const struct options *o)
{
	bool is_terminal = o->format == CLI_TEXT && isatty(STDOUT_FILENO) == 1;
	unsigned shown = UINT_MAX;

	for (;;) {
		cleanup(cleanup_status_) struct status *status = NULL;
		cleanup_strbuf struct strbuf out = STRBUF_INIT;
		struct pollfd wish = { .fd = cancel_fd(), .events = POLLIN };
		struct err *e = look(o, &out, &status);

		if (e)
			return e;
		if (is_terminal || !status->is_running || count_probes(status) != shown) {
			if (!is_terminal && o->format == CLI_TEXT && shown != UINT_MAX)
				putchar('\n');
			show(&out, is_terminal);
		}
		shown = count_probes(status);
		if (!status->is_running || ferror(stdout))
			return NULL;
		poll(&wish, 1, FOLLOW_MS);
		if (cancel_requested())
			return cancel_error();
	}
}

struct err *cmd_status(int argc, char **argv)
{
	cleanup(cleanup_status_) struct status *status = NULL;
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	struct options o = { .format = CLI_TEXT };
	const struct cli_option options[] = {
		{ "FILE", .argument = &o.file },
		{ "follow", 'f', .flag = &o.follow },
		{ "format", .format = &o.format, .choices = "text|json" },
		{ .name = NULL },
	};
	struct err *e = cli_parse(argc, argv, usage, options);

	if (!e && o.follow)
		return follow(&o);
	if (!e)
		e = look(&o, &out, &status);
	if (!e)
		cli_print(&out);
	return e;
}
