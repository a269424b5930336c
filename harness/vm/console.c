/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/console.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/strbuf.h"

/** Length of the terminal escape sequence at p, e.g. "\x1b[2J", or 0. */
static size_t escape_len(const char *p)
{
	size_t n;

	if (p[0] != '\x1b' || p[1] != '[')
		return 0;
	n = 2 + strspn(p + 2, "0123456789;?=");
	return p[n] ? n + 1 : n;
}

/** In place; text ends in NUL at len. */
static void make_text(char *text, size_t len)
{
	char *out = text;

	for (size_t i = 0; i < len;) {
		size_t skip = text[i] == '\r' ? 1 : escape_len(text + i);

		if (skip) {
			i += skip;
			continue;
		}

		char c = text[i++];

		*out++ = (c >= ' ' && c <= '~') || c == '\n' || c == '\t' ? c : '?';
	}
	*out = '\0';
}

char *console_tail(const char *path, size_t max_bytes)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *text = xcalloc(max_bytes + 1, 1);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return xstrdup("");

	off_t from = st.st_size > (off_t)max_bytes ? st.st_size - (off_t)max_bytes : 0;
	ssize_t n = pread(fd, text, max_bytes, from);

	make_text(text, n > 0 ? (size_t)n : 0);
	return_ptr(text);
}

bool console_shows_panic(const char *text)
{
	return strstr(text, "Kernel panic - not syncing") != NULL;
}

bool console_shows_kernel(const char *text)
{
	return strstr(text, "Linux version ") != NULL;
}

/** "2026-01-01T00:00:00Z qemu-system-x86_64: what it says", with or without the time. */
static bool is_said_by_qemu(const char *line, size_t len)
{
	const char *name = memmem(line, len, "qemu-", 5);
	size_t name_len = name ? strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") : 0;

	return name && name + name_len + 1 < line + len && name[name_len] == ':' && name[name_len + 1] == ' ';
}

char *console_qemu_lines(const char *log)
{
	struct strbuf sb = STRBUF_INIT;

	while (*log) {
		size_t len = strcspn(log, "\n");

		if (is_said_by_qemu(log, len)) {
			strbuf_add(&sb, log, len);
			strbuf_adds(&sb, "\n");
		}
		log += len + (log[len] == '\n');
	}
	return strbuf_steal(&sb);
}
