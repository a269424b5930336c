/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cmd/cli.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "harness/base/trust.h"

void cli_start_options(void)
{
	opterr = 0;
	optind = 0; /* glibc: forget what was parsed before */
}

int cli_next_option(int argc, char **argv, const char *short_options, const struct option *long_options)
{
	return getopt_long(argc, argv, short_options, long_options, NULL);
}

struct err *cli_option_error(int c, char **argv)
{
	return err_new_kind(ERR_USAGE, "'%s': %s; see 'swapcal %s --help'", argv[optind - 1],
			    c == ':' ? "the value is missing" : "unknown option", argv[0]);
}

struct err *cli_parse_format(const char *value, bool *ret_is_json)
{
	if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
		return err_new_kind(ERR_USAGE, "--format: '%s' is not known; use 'text' or 'json'", value);
	*ret_is_json = value[0] == 'j';
	return NULL;
}

struct err *cli_parse_any_format(const char *value, enum cli_format *ret)
{
	static const char *const names[] = { [CLI_TEXT] = "text", [CLI_CSV] = "csv", [CLI_JSON] = "json" };

	for (int i = CLI_TEXT; i < CLI_FORMATS; i++)
		if (strcmp(names[i], value) == 0) {
			*ret = (enum cli_format)i;
			return NULL;
		}
	return err_new_kind(ERR_USAGE, "--format: '%s' is not known; use 'text', 'csv' or 'json'", value);
}

struct err *cli_parse_margin(const char *value, double *ret_pct)
{
	char *end;
	double pct = strtod(value, &end);

	if (end != value && *end == '%')
		end++;
	/*
	 * No two measurements are the same, and what is off by half is no measure any more. NaN fails here
	 * too, as does what is so small that it must be a mistake.
	 */
	if (end == value || *end || !(pct >= 0.01 && pct <= 50))
		return err_new_kind(ERR_USAGE, "--margin: '%s' is no percentage from 0.01 to 50", value);
	*ret_pct = pct;
	return NULL;
}

struct err *cli_parse_count(const char *option, const char *value, unsigned min, unsigned max, unsigned *ret)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end || errno || n < min || n > max)
		return err_new_kind(ERR_USAGE, "%s: '%s' is no whole number from %u to %u", option, value,
				    min, max);
	*ret = (unsigned)n;
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

struct err *cli_parse_duration(const char *option, const char *value, double *ret_s)
{
	const char *at = value;
	double sum_s = 0;

	if (!take_unit(&at, 'h', 3600, &sum_s) || !take_unit(&at, 'm', 60, &sum_s) ||
	    !take_unit(&at, 's', 1, &sum_s) || *at || !(sum_s > 0))
		return err_new_kind(ERR_USAGE, "%s: '%s' is no time such as 8h, 90m, 45s or 7h30m", option,
				    value);
	*ret_s = sum_s;
	return NULL;
}

struct err *cli_one_argument(int argc, char **argv, const char *what, const char **ret)
{
	if (optind == argc)
		return err_new_kind(ERR_USAGE, "%s is missing; see 'swapcal %s --help'", what, argv[0]);
	if (argc - optind > 1)
		return err_new_kind(ERR_USAGE, "'%s': one argument too many; see 'swapcal %s --help'",
				    argv[optind + 1], argv[0]);
	*ret = argv[optind];
	return NULL;
}

/** To what is there and is no file to be replaced. */
static struct err *write_into(const char *path, const struct strbuf *out)
{
	/* Append: standard output may be a file that has something in it already. */
	cleanup_close int fd = open(path, O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(errno, "cannot open '%s'", path);
	return err_wrap(file_write_all(fd, out->data, out->len), "'%s'", path);
}

struct err *cli_write_output(const char *path, const struct strbuf *out)
{
	/* /dev/stdout and its like: never to be replaced by a file, whatever they lead to. */
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
