/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cmd/cli.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "harness/base/format.h"
#include "harness/base/trust.h"

/* More than any subcommand has. */
#define OPTIONS_MAX 16

/** Is the value one of the choices? */
static struct err *parse_choice(const struct cli_option *o, const char *value)
{
	cleanup_strbuf struct strbuf known = STRBUF_INIT;

	for (const char *p = o->choices; *p;) {
		size_t len = strcspn(p, "|");
		bool is_last = p[len] == '\0';

		if (strlen(value) == len && strncmp(p, value, len) == 0)
			return NULL;
		strbuf_addf(&known, "%s'%.*s'", p == o->choices ? "" : is_last ? " or " : ", ", (int)len, p);
		p += len + !is_last;
	}
	return err_new_kind(ERR_USAGE, "--%s: '%s' is not known; use %s", o->name, value, strbuf_str(&known));
}

/** The format of a value that is one of the choices. */
static enum cli_format find_format(const char *name)
{
	return *name == 't' ? CLI_TEXT : *name == 'c' ? CLI_CSV : CLI_JSON;
}

static struct err *parse_margin(const struct cli_option *o, const char *value)
{
	char *end;
	double pct = strtod(value, &end);

	if (end != value && *end == '%')
		end++;
	/*
	 * No two measurements are the same, and a measure that is off by half is none. A margin below 0.01
	 * must be a mistake. NaN fails here too.
	 */
	if (end == value || *end || !(pct >= 0.01 && pct <= 50))
		return err_new_kind(ERR_USAGE, "--%s: '%s' is no percentage from 0.01 to 50", o->name, value);
	*o->margin_pct = pct;
	return NULL;
}

static struct err *parse_count(const struct cli_option *o, const char *value)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end || errno || n < o->min || n > o->max)
		return err_new_kind(ERR_USAGE, "--%s: '%s' is no whole number from %u to %u", o->name, value,
				    o->min, o->max);
	*o->count = (unsigned)n;
	return NULL;
}

/** Takes a number with that unit from *at, if it is there; false when it has more than six digits. */
static bool take_unit(const char **at, char unit, double unit_s, double *sum_s)
{
	size_t digits = strspn(*at, "0123456789");

	if (!digits || (*at)[digits] != unit)
		return true;
	if (digits > 6)
		return false;
	*sum_s += strtod(*at, NULL) * unit_s;
	*at += digits + 1;
	return true;
}

static struct err *parse_time(const struct cli_option *o, const char *value)
{
	const char *at = value;
	double sum_s = 0;

	if (!take_unit(&at, 'h', 3600, &sum_s) || !take_unit(&at, 'm', 60, &sum_s) ||
	    !take_unit(&at, 's', 1, &sum_s) || *at || !(sum_s > 0))
		return err_new_kind(ERR_USAGE, "--%s: '%s' is no time such as 8h, 90m, 45s or 7h30m", o->name,
				    value);
	*o->time_s = sum_s;
	return NULL;
}

static struct err *take(const struct cli_option *o, const char *value)
{
	struct err *e = o->choices ? parse_choice(o, value) : NULL;

	if (e)
		return e;
	if (o->count)
		return parse_count(o, value);
	if (o->time_s)
		return parse_time(o, value);
	if (o->margin_pct)
		return parse_margin(o, value);
	if (o->parse)
		return o->parse(value, o->to);
	if (o->flag)
		*o->flag = true;
	else if (o->format)
		*o->format = find_format(value);
	else
		*(o->choice ? o->choice : o->text) = value;
	return NULL;
}

/** Takes the arguments of the table. The command line must have no others. */
static struct err *take_arguments(int argc, char **argv, const struct cli_option *options)
{
	int i = optind;
	bool has_any = false;

	for (const struct cli_option *o = options; o->name; o++) {
		if (o->command)
			*o->command = (const char *const *)argv + optind;
		if (!o->argument)
			continue;
		if (i == argc)
			return err_new_kind(ERR_USAGE, "%s is missing; see 'swapcal %s --help'", o->name,
					    argv[0]);
		*o->argument = argv[i++];
		has_any = true;
	}
	if (has_any && i < argc)
		return err_new_kind(ERR_USAGE, "'%s': one argument too many; see 'swapcal %s --help'",
				    argv[i], argv[0]);
	return NULL;
}

/* getopt_long() returns this plus the number of the row for --NAME. */
#define ROW_BASE 256

/** The option for which getopt_long() returns c; NULL: it is not in the table. */
static const struct cli_option *find_option(const struct cli_option *options, int c)
{
	if (c >= ROW_BASE)
		return &options[c - ROW_BASE];
	for (; options->name; options++)
		if (options->letter == c)
			return options;
	return NULL;
}

static struct err *take_options(int argc, char **argv, const char *help, const char *letters,
				const struct option *longs, const struct cli_option *options)
{
	bool is_help = false;

	opterr = 0; /* nothing is printed */
	optind = 0; /* glibc: forget what was parsed before */
	for (int c; (c = getopt_long(argc, argv, letters, longs, NULL)) != -1;) {
		const struct cli_option *o = find_option(options, c);
		struct err *e;

		if (c == '?' || c == ':')
			return err_new_kind(ERR_USAGE, "'%s': %s; see 'swapcal %s --help'", argv[optind - 1],
					    c == ':' ? "the value is missing" : "unknown option", argv[0]);
		if (o && (e = take(o, optarg)))
			return e;
		is_help |= !o;
	}
	return is_help ? err_new_kind(ERR_HELP, "%s", help) : NULL;
}

struct err *cli_parse(int argc, char **argv, const char *help, const struct cli_option *options)
{
	/*
	 * '+': options end where a command begins, since what follows is its own. ':': a missing value is
	 * told from an unknown option.
	 */
	char letters[4 + 2 * OPTIONS_MAX] = "+:h", *letter = letters + 3;
	struct option longs[OPTIONS_MAX + 2] = { { "help", no_argument, NULL, 'h' } }, *at = longs + 1;
	bool has_command = false;

	for (int i = 0; options[i].name; i++) {
		const struct cli_option *o = &options[i];

		assert(i < OPTIONS_MAX);
		has_command |= o->command != NULL;
		if (o->argument || o->command)
			continue;
		*at++ = (struct option){ o->name, o->flag ? no_argument : required_argument, NULL,
					 ROW_BASE + i };
		if (o->letter)
			letter += sprintf(letter, "%c%s", o->letter, o->flag ? "" : ":");
	}

	struct err *e = take_options(argc, argv, help, has_command ? letters : letters + 1, longs, options);

	return e ? e : take_arguments(argc, argv, options);
}

/** Writes into something that exists and must not be replaced by a file. */
static struct err *write_into(const char *path, const struct strbuf *out)
{
	/* Append: standard output may be a file that has something in it already. */
	cleanup_close int fd = open(path, O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(errno, "cannot open '%s'", path);
	return err_wrap(file_write_all(fd, out->data, out->len), "'%s'", path);
}

void cli_print(const struct strbuf *out)
{
	fwrite(out->data, 1, out->len, stdout);
}

void cli_print_json(json_t *object)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	format_json(&out, object);
	cli_print(&out);
}

struct err *cli_write_output(const char *path, const struct strbuf *out)
{
	if (!path) {
		cli_print(out);
		return NULL;
	}
	/* /dev/stdout and the like are never replaced by a file, whatever they lead to. */
	if (strncmp(path, "/dev/", 5) == 0)
		return write_into(path, out);

	struct err *e = trust_output(path);
	cleanup_free char *real = realpath(path, NULL);
	struct stat st;

	if (e)
		return e;
	if (stat(path, &st))
		return file_write_atomic(path, out->data, out->len, 0600);
	if (S_ISREG(st.st_mode))
		return file_write_atomic(real ? real : path, out->data, out->len, st.st_mode & 0777);
	return write_into(path, out);
}
