/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool progress_shown;

static void erase_progress(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

__attribute__((format(printf, 1, 0))) static void line(const char *fmt, va_list ap)
{
	pthread_mutex_lock(&lock);
	erase_progress();
	fputs("swapcal: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	pthread_mutex_unlock(&lock);
}

void log_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(fmt, ap);
	va_end(ap);
}

/** Width of the terminal: a longer line would wrap, and could not be taken away. */
static int columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

void log_progress(const char *fmt, ...)
{
	va_list ap;

	if (!log_is_interactive())
		return;
	pthread_mutex_lock(&lock);
	va_start(ap, fmt);

	cleanup_free char *text = xvasprintf(fmt, ap);

	va_end(ap);
	fprintf(stderr, "\r\033[K%.*s", columns() - 1, text);
	fflush(stderr);
	progress_shown = true;
	pthread_mutex_unlock(&lock);
}

void log_progress_end(void)
{
	pthread_mutex_lock(&lock);
	erase_progress();
	pthread_mutex_unlock(&lock);
}

bool log_is_interactive(void)
{
	return isatty(STDERR_FILENO) == 1;
}
