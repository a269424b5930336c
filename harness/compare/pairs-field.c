/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/format.h"
#include "harness/compare/pairs-internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/strbuf.h"
#include "harness/compare/pairs.h"
#include "harness/cell/cell-format.h"

/* Of a field, in bytes, and of names: enough to find it again, and no screenful of somebody's binary file. */
#define QUOTE_MAX 40
#define NAMES_MAX 12

/* Appends the text in quotation marks, cleaned and not too long. */
static void add_quoted(struct strbuf *out, const char *text)
{
	size_t len = strnlen(text, QUOTE_MAX + 1);
	bool is_cut = len > QUOTE_MAX;

	if (is_cut) {
		len = QUOTE_MAX;
		/* Not in the middle of a character. */
		while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}

	cleanup_free char *part = xmemdup0(text, len);

	strbuf_adds(out, "'");
	format_clean(out, part);
	strbuf_adds(out, is_cut ? "...'" : "'");
}

static char *quoted(const char *text)
{
	struct strbuf out = STRBUF_INIT;

	add_quoted(&out, text);
	return strbuf_steal(&out);
}

/* Is the whole text a number as strtod() takes it: also "nan", "inf" and hexadecimal? */
static bool parse(const char *text, double *ret)
{
	char *end;

	*ret = strtod(text, &end);
	return end != text && !*end;
}

/* Why a text is no number, and what to do about it. */
static const char *why_no_number(const char *text)
{
	double v;

	if (parse(text, &v))
		return isfinite(v) ? "is hexadecimal; write it in decimal"
				   : "is not finite; leave the row out";
	if (strchr(text, ','))
		return "is no number; the decimal sign is a point, as in 1.5";
	return "is no number; write it as in 12.5 or 1e3, or leave the row out";
}

struct err *pairs_number(const char *column, const char *text, double *ret)
{
	double v;

	if (!*text)
		return err_new_kind(ERR_USAGE, "%s: the value is missing; give it, or leave the row out",
				    column);

	cleanup_free char *what = quoted(text);

	if (text[strspn(text, "0123456789+-.eE")] || !parse(text, &v))
		return err_new_kind(ERR_USAGE, "%s: %s %s", column, what, why_no_number(text));
	if (fabs(v) > PAIRS_NUMBER_MAX)
		return err_new_kind(ERR_USAGE, "%s: %s is out of range; use a larger unit", column, what);
	/* What strtod() makes 0 has a digit before its exponent that is not. */
	if (fabs(v) < PAIRS_NUMBER_MIN && strcspn(text, "123456789") < strcspn(text, "eE"))
		return err_new_kind(ERR_USAGE, "%s: %s is out of range; use a smaller unit", column, what);
	*ret = v;
	return NULL;
}

/* The separator that makes one field of what should be several, 0 when there is none. */
static char other_separator(const char *const *fields, size_t n)
{
	if (n != 1)
		return 0;
	return strchr(fields[0], ';')    ? ';'
	       : strchr(fields[0], '\t') ? '\t'
	       : strchr(fields[0], '|')  ? '|'
					 : 0;
}

/* What to do about a wrong separator. */
static const char *separator_hint(char separator)
{
	return separator == ';'    ? "the separator seems to be ';', and has to be a comma"
	       : separator == '\t' ? "the separator seems to be a tab, and has to be a comma"
				   : "the separator seems to be '|', and has to be a comma";
}

struct err *pairs_count_error(const char *const *fields, size_t n, size_t columns)
{
	char separator = other_separator(fields, n);
	const char *hint = "give what is missing, or leave the row out";

	if (n > columns)
		hint = "decimal signs have to be points, and text with a comma needs quotation marks around "
		       "it";
	else if (separator)
		hint = separator_hint(separator);
	return err_new_kind(ERR_USAGE, "too %s fields: %zu where the header has %zu; %s",
			    n > columns ? "many" : "few", n, columns, hint);
}

static void add_names(struct strbuf *out, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n && i < NAMES_MAX; i++) {
		strbuf_adds(out, i ? ", " : "");
		add_quoted(out, names[i]);
	}
	if (n > NAMES_MAX)
		strbuf_addf(out, " and %zu more", n - NAMES_MAX);
}

/* Do all names look like numbers? Then it is a row of data. */
static bool are_numbers(const char *const *names, size_t n)
{
	double v;

	for (size_t i = 0; i < n; i++)
		if (!parse(names[i], &v))
			return false;
	return true;
}

static struct err *missing_error(const char *column, const char *const *names, size_t n)
{
	cleanup_strbuf struct strbuf list = STRBUF_INIT;
	char separator = other_separator(names, n);

	add_names(&list, names, n);
	if (separator)
		return err_new_kind(ERR_USAGE, "no column '%s' but %s: %s", column, list.data,
				    separator_hint(separator));
	if (are_numbers(names, n))
		return err_new_kind(ERR_USAGE,
				    "no column '%s' but %s: a line of names such as z,y has to come first",
				    column, list.data);
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(names[i], column) == 0)
			return err_new_kind(ERR_USAGE, "no column '%s' but %s: write '%s', small", column,
					    list.data, column);
	return err_new_kind(ERR_USAGE, "no column '%s' but %s: rename the one that is meant", column,
			    list.data);
}

static struct err *find(const char *column, const char *const *names, size_t n, size_t *ret)
{
	size_t found = PAIRS_NO_COLUMN;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], column) != 0)
			continue;
		if (found != PAIRS_NO_COLUMN)
			return err_new_kind(ERR_USAGE, "column '%s' is there twice; rename one", column);
		found = i;
	}
	*ret = found;
	return NULL;
}

struct err *pairs_find_columns(const char *const *names, size_t n, struct pairs_columns *ret)
{
	struct pairs_columns c = { .n = n };
	struct err *e = find("z", names, n, &c.z);

	if (!e)
		e = find("y", names, n, &c.y);
	if (!e)
		e = find("cell", names, n, &c.cell);
	if (!e && c.z == PAIRS_NO_COLUMN)
		e = missing_error("z", names, n);
	if (!e && c.y == PAIRS_NO_COLUMN)
		e = missing_error("y", names, n);
	if (!e)
		*ret = c;
	return e;
}
