/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"

struct err {
	enum err_kind kind;
	char *message;
	char *detail; /* NULL: none */
};

__attribute__((format(printf, 2, 0))) static struct err *err_vnew(enum err_kind kind, const char *fmt,
								  va_list ap)
{
	struct err *e = xcalloc(1, sizeof(*e));

	e->kind = kind;
	e->message = xvasprintf(fmt, ap);
	return e;
}

static void set_message(struct err *e, char *message)
{
	free(e->message);
	e->message = message;
}

struct err *err_new_kind(enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	struct err *e = err_vnew(kind, fmt, ap);
	va_end(ap);
	return e;
}

struct err *err_errno(int errnum, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	struct err *e = err_vnew(ERR_FAILED, fmt, ap);
	va_end(ap);

	set_message(e, xasprintf("%s: %s", e->message, strerror(errnum)));
	return e;
}

struct err *err_wrap(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return NULL;
	va_start(ap, fmt);
	char *prefix = xvasprintf(fmt, ap);
	va_end(ap);
	set_message(e, xasprintf("%s: %s", prefix, e->message));
	free(prefix);
	return e;
}

struct err *err_set_kind(struct err *e, enum err_kind kind)
{
	if (e)
		e->kind = kind;
	return e;
}

struct err *err_set_detail(struct err *e, char *detail)
{
	free(e->detail);
	e->detail = detail;
	return e;
}

const char *err_detail(const struct err *e)
{
	return e->detail ? e->detail : "";
}

const char *err_message(const struct err *e)
{
	return e->message;
}

enum err_kind err_get_kind(const struct err *e)
{
	return e->kind;
}

void err_free(struct err *e)
{
	if (!e)
		return;
	free(e->detail);
	free(e->message);
	free(e);
}
