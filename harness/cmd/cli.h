/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_CLI_H
#define SWAPCAL_CLI_H

#include <getopt.h>
#include <stdbool.h>

#include "harness/base/err.h"
#include "harness/base/strbuf.h"

/* What the subcommands' option parsers share; argv[0] is the subcommand's name. Errors are of kind ERR_USAGE.
 */

/** Before the first cli_next_option() of a command line: programs, and tests, may parse several. */
void cli_start_options(void);

/**
 * The next option as getopt_long() gives it, -1 at the end; '?' or ':' for a wrong one, about which nothing
 * is printed. short_options begin with ':'.
 */
int cli_next_option(int argc, char **argv, const char *short_options, const struct option *long_options);

/** The error for a wrong option: c is what cli_next_option() returned. */
struct err *cli_option_error(int c, char **argv) must_check;

/** The value of --format where it is "text" or "json". */
struct err *cli_parse_format(const char *value, bool *ret_is_json) must_check;

/** The value of --format where it is one of all three; CLI_FORMAT_NONE stands for no option. */
enum cli_format { CLI_FORMAT_NONE, CLI_TEXT, CLI_CSV, CLI_JSON, CLI_FORMATS };
struct err *cli_parse_any_format(const char *value, enum cli_format *ret) must_check;

/** The value of an option: a whole number from min to max. */
struct err *cli_parse_count(const char *option, const char *value, unsigned min, unsigned max,
			    unsigned *ret) must_check;

/** The value of an option: a time as in "90s", "30m", "8h" or "7h30m", in seconds. */
struct err *cli_parse_duration(const char *option, const char *value, double *ret_s) must_check;

/** The value of --margin: a number from 0.01 to 50, with or without a percent sign. */
struct err *cli_parse_margin(const char *value, double *ret_pct) must_check;

/** The one argument that is left after the options; what names it in errors, e.g. "FILE". */
struct err *cli_one_argument(int argc, char **argv, const char *what, const char **ret) must_check;

/**
 * Writes what --output names: a regular file (of mode 0600 when it is new) gets all of it or stays as it was;
 * anything else is written to. See trust_output() for what is refused.
 */
struct err *cli_write_output(const char *path, const struct strbuf *out) must_check;

#endif
