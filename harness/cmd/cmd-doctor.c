/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/format.h"
#include "harness/base/log.h"
#include "harness/cmd/cli.h"
#include "harness/cmd/cmd.h"
#include "harness/cmd/doctor.h"
#include "harness/cell/cell-format.h"

/* Of the object printed with --format json. */
#define DOCTOR_SCHEMA_VERSION 1

static const char help[] =
	"usage: swapcal doctor [-c URI] [--format text|json]\n"
	"\n"
	"Is this host fit to calibrate on? Tries what a campaign needs, guests included, and says\n"
	"what to do about what it lacks. Takes some seconds; the first time on a host with /dev/kvm\n"
	"up to 15 more, since KVM is believed only when a kernel boots under it.\n"
	"\n"
	"Options:\n"
	"  -c, --connect URI  libvirt connection (default: an embedded driver, no daemon needed)\n"
	"      --format FMT   text (the default) or json\n"
	"  -h, --help         show this text\n"
	"\n"
	"Example:\n"
	"  swapcal doctor\n"
	"\n"
	"Exit status: 0 fit (there may be warnings), 2 usage, 3 a check failed, 130 interrupted.\n";

struct output {
	json_t *checks; /* NULL: text */
	unsigned failed;
};

static void print_check(void *arg, const struct check *check)
{
	struct output *out = arg;

	out->failed += check->level == CHECK_FAIL;
	if (out->checks) {
		json_array_append_new(
			out->checks,
			json_pack("{s:s, s:s, s:s, s:o, s:s}", "id", check->id, "title", check->title,
				  "status", check_level_name(check->level),
				  /* The detail may name a file, whose name may be of any bytes. */
				  "detail", format_json_string(check->detail), "hint", check->hint));
		return;
	}
	log_progress_end();
	printf("CHECK %-44s %s: %s\n", check->title, check_level_name(check->level), check->detail);
	if (*check->hint)
		printf("      %s\n", check->hint);
	/* The user sees each result at once, since the next check may take a while. */
	fflush(stdout);
}

struct err *cmd_doctor(int argc, char **argv)
{
	const char *uri = NULL;
	enum cli_format format = CLI_TEXT;
	const struct cli_option options[] = {
		{ "connect", 'c', .text = &uri },
		{ "format", .format = &format, .choices = "text|json" },
		{ .name = NULL },
	};
	bool is_help;
	struct err *e = cli_parse(argc, argv, help, options, &is_help);

	if (e || is_help)
		return e;
	if (optind < argc)
		return err_new_kind(ERR_USAGE, "'%s': doctor takes no arguments", argv[optind]);

	struct output out = { .checks = format == CLI_JSON ? json_array() : NULL };

	e = doctor_run(uri, print_check, &out);
	if (out.checks)
		cli_print_json(json_pack("{s:s, s:i, s:b, s:o}", "tool_version", SWAPCAL_VERSION,
					 "schema_version", DOCTOR_SCHEMA_VERSION, "fit", out.failed == 0,
					 "checks", out.checks));
	if (!e && out.failed)
		e = err_new_kind(ERR_HOST, "this host is not fit yet: %u check%s failed", out.failed,
				 out.failed == 1 ? "" : "s");
	return e;
}
