/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/query/query-hint.h"
#include "harness/query/query-internal.h"

/* What is wrong with a query, for its author. */

/* The line of the file that holds the byte of the query; its first for a negative offset. */
static unsigned line_of(const struct query_text *text, long offset)
{
	unsigned line = text->line;

	for (const char *p = text->sql; offset > 0 && *p; p++, offset--)
		line += *p == '\n';
	return line;
}

/* The query may begin with empty lines, which nobody would look at. */
static long first_word(const struct query_text *text)
{
	return (long)strspn(text->sql, " \t\r\n");
}

static struct err *wrong_at(const struct query_text *text, long offset, const char *what)
{
	return err_new_kind(ERR_USAGE, "%s:%u: %s", text->file, line_of(text, offset), what);
}

struct err *query_wrong(const struct query_text *text, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);

	cleanup_free char *what = xvasprintf(fmt, ap);

	va_end(ap);
	return wrong_at(text, first_word(text), what);
}

/* The name behind a prefix of SQLite's message, without quotes; NULL when the message is another one. */
static char *name_in(const char *message, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(message, prefix, len) != 0)
		return NULL;
	message += len;
	if (*message == '"')
		return xmemdup0(message + 1, strcspn(message + 1, "\""));
	return xstrdup(message);
}

static char *hint_for(const char *sql, const char *message, char **ret_name)
{
	cleanup_free char *column = name_in(message, "no such column: ");
	cleanup_free char *table = name_in(message, "no such table: ");

	if (column) {
		*ret_name = xstrdup(column);
		return query_hint_column(sql, column);
	}
	if (table) {
		const char *dot = strrchr(table, '.');

		*ret_name = xstrdup(dot ? dot + 1 : table);
		return query_hint_view(*ret_name);
	}
	*ret_name = NULL;
	return xstrdup("");
}

/* SQLite knows the place of most mistakes; of the others we look for the name. */
static long place_of(const struct query *q, const struct query_text *text, const char *name)
{
	long offset = sqlite3_error_offset(q->db);

	if (offset < 0 && name)
		offset = query_hint_find(text->sql, name);
	return offset >= 0 ? offset : first_word(text);
}

struct err *query_sqlite_error(const struct query *q, const struct query_text *text)
{
	const char *message = sqlite3_errmsg(q->db);
	cleanup_free char *name = NULL;
	const char *why = q->guard.why;

	if (why)
		return wrong_at(text, place_of(q, text, q->guard.name), why);

	cleanup_free char *hint = hint_for(text->sql, message, &name);
	cleanup_free char *what = xasprintf("%s%s", message, hint);

	return wrong_at(text, place_of(q, text, name), what);
}
