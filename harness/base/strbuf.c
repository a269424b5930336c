/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/strbuf.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"

void strbuf_deinit(struct strbuf *sb)
{
	free(sb->data);
	*sb = (struct strbuf)STRBUF_INIT;
}

void strbuf_add(struct strbuf *sb, const void *data, size_t len)
{
	if (sb->cap - sb->len < len + 1 || !sb->cap) {
		size_t cap = sb->cap ? sb->cap : 64;

		while (cap - sb->len < len + 1)
			cap *= 2;
		sb->data = xreallocarray(sb->data, cap, 1);
		sb->cap = cap;
	}
	if (len)
		memcpy(sb->data + sb->len, data, len);
	sb->len += len;
	sb->data[sb->len] = '\0';
}

void strbuf_adds(struct strbuf *sb, const char *s)
{
	strbuf_add(sb, s, strlen(s));
}

void strbuf_addf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *s = xvasprintf(fmt, ap);
	va_end(ap);
	strbuf_adds(sb, s);
	free(s);
}

char *strbuf_steal(struct strbuf *sb)
{
	char *s = sb->data ? sb->data : xstrdup("");

	*sb = (struct strbuf)STRBUF_INIT;
	return s;
}

const char *strbuf_str(const struct strbuf *sb)
{
	return sb->data ? sb->data : "";
}

void strbuf_clear(struct strbuf *sb)
{
	sb->len = 0;
	if (sb->data)
		sb->data[0] = '\0';
}

void strbuf_add_quoted(struct strbuf *sb, const char *arg)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+,./:@%";

	if (*arg && arg[strspn(arg, safe)] == '\0') {
		strbuf_adds(sb, arg);
		return;
	}
	strbuf_adds(sb, "'");
	for (; *arg; arg++) {
		if (*arg == '\'')
			strbuf_adds(sb, "'\\''");
		else
			strbuf_add(sb, arg, 1);
	}
	strbuf_adds(sb, "'");
}
