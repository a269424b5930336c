/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#include "guest/agent/agent.h"

const char *fail(const char *format, ...)
{
	static char reason[384];
	char text[sizeof(reason)];
	va_list ap;

	/* A second buffer allows an earlier reason as an argument. */
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return memcpy(reason, text, sizeof(reason));
}

void say(const char *format, ...)
{
	char text[256] = "agent: ";
	const size_t start = 7;
	va_list ap;

	va_start(ap, format);
	vsnprintf(text + start, sizeof(text) - start - 1, format, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';

	size_t len = strlen(text);

	text[len++] = '\n';
	if (write(STDERR_FILENO, text, len) < 0)
		return; /* no console: there is nowhere else to say it */
}

void power_off(void)
{
	reboot(RB_POWER_OFF);
	/*
	 * This is reached only where there is no power-off. When PID 1 ends, the kernel panics, and the host
	 * sees that too.
	 */
	_exit(1);
}

uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void sleep_us(unsigned us)
{
	struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000L };

	nanosleep(&t, NULL);
}

const char *file_read(const char *path, char *buf, size_t size, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail("cannot open '%s': %s", path, strerror(errno));

	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) != 0) {
		if (n < 0) {
			int error = errno;

			close(fd);
			return fail("cannot read '%s': %s", path, strerror(error));
		}
		len += (size_t)n;
	}
	close(fd);
	buf[len] = '\0';
	if (ret_len)
		*ret_len = len;
	return NULL;
}

const char *file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return fail("cannot open '%s': %s", path, strerror(errno));

	size_t len = strlen(text);
	ssize_t n = write(fd, text, len);
	int error = n < 0 ? errno : EIO;

	close(fd);
	if (n != (ssize_t)len)
		return fail("cannot write '%s' to '%s': %s", text, path, strerror(error));
	return NULL;
}

uint64_t text_number(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, key, len) == 0)
			return strtoull(p + len, NULL, 10);
	}
	return 0;
}
