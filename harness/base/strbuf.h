/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "harness/base/cleanup.h"

/** A growing byte string. Always NUL-terminated once something was added. */
struct strbuf {
	char *data;
	size_t len;
	size_t cap;
};

#define STRBUF_INIT                                                                                          \
	{                                                                                                    \
		NULL, 0, 0                                                                                   \
	}

void strbuf_deinit(struct strbuf *sb);
#define cleanup_strbuf cleanup(strbuf_deinit)

void strbuf_add(struct strbuf *sb, const void *data, size_t len);
void strbuf_adds(struct strbuf *sb, const char *s);
void strbuf_addf(struct strbuf *sb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Adds arg as what a shell reads as one word. */
void strbuf_add_quoted(struct strbuf *sb, const char *arg);

/** The string, never NULL; the caller frees it and sb is empty again. */
char *strbuf_steal(struct strbuf *sb);

/** The string without giving it up: "" when nothing was added. */
const char *strbuf_str(const struct strbuf *sb);

/** Forgets the content, keeps the memory. */
void strbuf_clear(struct strbuf *sb);
