/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>

#include "harness/base/err.h"
#include "harness/base/strbuf.h"

/*
 * Command lines: each subcommand has a table of the options and arguments it takes. Errors are of kind
 * ERR_USAGE.
 */

/** The value of --format; CLI_FORMAT_NONE stands for no option. */
enum cli_format { CLI_FORMAT_NONE, CLI_TEXT, CLI_CSV, CLI_JSON, CLI_FORMATS };

/**
 * An option, or an argument. One of the pointers from .flag to .command is set: it says what the row is
 * and where its value goes, to a caller's variable, which keeps its value when the option is not given.
 * Tables end with { .name = NULL } and have no
 * --help, which every subcommand takes.
 */
struct cli_option {
	const char *name; /**< without the dashes; of an argument what stands for it in help texts */
	char letter;      /**< of the short option; 0: there is none */

	bool *flag;              /**< an option without a value */
	const char **text;       /**< any */
	const char **choice;     /**< one of .choices */
	enum cli_format *format; /**< one of .choices, which are formats */
	unsigned *count;         /**< a whole number from .min to .max */
	double *time_s;          /**< a time as in "90s", "30m", "8h" or "7h30m" */
	double *margin_pct;      /**< a number from 0.01 to 50, with or without a percent sign */
	/** What one subcommand alone takes. */
	struct err *(*parse)(const char *value, void *to);

	const char **argument;       /**< one that has to be there; all of a table, in its order */
	const char *const **command; /**< the first word that is no option, and all behind it */

	void *to;            /**< for .parse */
	unsigned min, max;   /**< for .count */
	const char *choices; /**< for .choice and .format: "text|json" */
};

/**
 * Parses a command line by its table; argv[0] is the subcommand's name. With --help, and nothing wrong, an
 * "error" of kind ERR_HELP: the caller has nothing to do. A table without arguments leaves them to the
 * caller, from argv[optind] on.
 */
struct err *cli_parse(int argc, char **argv, const char *help, const struct cli_option *options) must_check;

/**
 * Writes what --output names: a regular file (of mode 0600 when it is new) gets all of it or stays as it was;
 * anything else is written to. See trust_output() for what is refused. NULL: standard output.
 */
struct err *cli_write_output(const char *path, const struct strbuf *out) must_check;

/** Prints on standard output; main() sees whether it arrived. */
void cli_print(const struct strbuf *out);

/** The same of a JSON object (taken over), members in the order they were added. */
void cli_print_json(json_t *object);
