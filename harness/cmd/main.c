/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/cancel.h"
#include "harness/base/log.h"
#include "harness/cmd/cmd.h"

static const struct {
	const char *name;
	struct err *(*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{ "doctor", cmd_doctor, "is this host fit? what to do if not" },
	{ "image", cmd_image, "build, list, show and remove guest images" },
	{ "run", cmd_run, "run or resume a campaign" },
	{ "merge", cmd_merge, "join results files, such as those of several machines" },
	{ "status", cmd_status, "how far a campaign is, what failed and why" },
	{ "report", cmd_report, "the Y-versus-Z tables of a campaign" },
	{ "validate", cmd_validate, "does one metric predict swapping? a verdict from old results" },
	{ "metrics", cmd_metrics, "the metrics, what they mean, and what they can ask" },
	{ "measure", cmd_measure, "memory of a command and its children on this machine" },
	{ "compare", cmd_compare, "do two methods of measurement agree? of any CSV file with pairs" },
	{ "export", cmd_export, "raw samples and evidence, byte for byte" },
};

static void print_help(FILE *out)
{
	fputs("usage: swapcal COMMAND [OPTION]... [ARGUMENT]...\n"
	      "\n"
	      "Which memory measure predicts swapping? swapcal boots virtual machines, loads them until they\n"
	      "swap, reads every candidate measure at that moment (Y), and compares it with the size of a plain\n"
	      "C ballast that makes the same machine swap (Z).\n"
	      "\n"
	      "Commands:\n",
	      out);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fputs("\n"
	      "A first session:\n"
	      "  swapcal doctor\n"
	      "  swapcal image build bookworm\n"
	      "  swapcal run examples/first-light.yaml -o first-light.swapcal\n"
	      "  swapcal report first-light.swapcal\n"
	      "\n"
	      "'swapcal COMMAND --help' tells more; so does swapcal(1).\n"
	      "\n"
	      "Options:\n"
	      "  -h, --help     this text\n"
	      "  -v, --verbose  before COMMAND: tell what is done, on standard error; SWAPCAL_DEBUG\n"
	      "                 chooses what of it\n"
	      "  -V, --version  version and nothing else\n",
	      out);
}

/** The exit code of an error; part of the documented interface. */
static const int exit_codes[] = {
	[ERR_FAILED] = 1, [ERR_USAGE] = 2,         [ERR_HOST] = 3, [ERR_UNSTABLE] = 4,
	[ERR_LOST] = 5,   [ERR_INTERRUPTED] = 130, /* as shells report a program that SIGINT ended */
	[ERR_HELP] = 0,
};

static int run_command(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, argv[0]) != 0)
			continue;

		struct err *e = commands[i].run(argc, argv);
		int code = e ? exit_codes[err_get_kind(e)] : 0;

		log_progress_end();
		if (e && code)
			log_note("%s", err_message(e));
		else if (e)
			fputs(err_message(e), stdout);
		err_free(e);
		/* Output that did not arrive (a full disk, a closed pipe) is a failure too. */
		if ((fflush(stdout) || ferror(stdout)) && !code) {
			log_note("cannot write the output");
			code = 1;
		}
		return code;
	}
	log_note("unknown command '%s'; 'swapcal --help' lists them", argv[0]);
	return 2;
}

/** Has log_debug() tell of what SWAPCAL_DEBUG lists; with --verbose and without that variable, of everything.
 */
static struct err *enable_debug(bool is_verbose)
{
	const char *list = getenv("SWAPCAL_DEBUG");

	if (!list || !*list)
		list = is_verbose ? "all" : "";
	return err_wrap(log_debug_enable(list), "SWAPCAL_DEBUG");
}

int main(int argc, char **argv)
{
	bool is_verbose = argc > 1 && (strcmp(argv[1], "--verbose") == 0 || strcmp(argv[1], "-v") == 0);
	struct err *e = enable_debug(is_verbose);

	if (e) {
		log_error(e);
		return 2;
	}
	argc -= is_verbose;
	argv += is_verbose;
	if (argc < 2) {
		print_help(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts("swapcal " SWAPCAL_VERSION);
		return 0;
	}
	cancel_install();
	return run_command(argc - 1, argv + 1);
}
