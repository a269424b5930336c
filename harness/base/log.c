/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/clock.h"
#include "harness/base/strbuf.h"
#include "harness/base/thread.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool progress_shown;

static void erase_progress(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

void log_note(const char *fmt, ...)
{
	va_list ap;

	hold(&lock);
	erase_progress();
	fputs("swapcal: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void log_error(struct err *e)
{
	if (e)
		log_note("%s", err_message(e));
	err_free(e);
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

	if (!isatty(STDERR_FILENO))
		return;
	va_start(ap, fmt);

	cleanup_free char *text = xvasprintf(fmt, ap);

	va_end(ap);
	hold(&lock);
	fprintf(stderr, "\r\033[K%.*s", columns() - 1, text);
	fflush(stderr);
	progress_shown = true;
}

void log_progress_end(void)
{
	hold(&lock);
	erase_progress();
}

static const char *const category_names[LOG_CATEGORY_COUNT] = {
	[LOG_COMMAND] = "command", [LOG_DOMAIN] = "domain", [LOG_IMAGE] = "image",
	[LOG_PROBE] = "probe",     [LOG_STORE] = "store",
};

static bool is_on[LOG_CATEGORY_COUNT];
static int64_t start_ms;

static struct err *enable(const char *name, size_t len)
{
	bool is_all = len == strlen("all") && strncmp(name, "all", len) == 0, is_known = is_all;
	cleanup_strbuf struct strbuf known = STRBUF_INIT;

	for (int i = 0; i < LOG_CATEGORY_COUNT; i++) {
		if (is_all ||
		    (strlen(category_names[i]) == len && strncmp(category_names[i], name, len) == 0))
			is_on[i] = is_known = true;
		strbuf_addf(&known, " %s", category_names[i]);
	}
	if (is_known)
		return NULL;
	return err_new_kind(ERR_USAGE, "no category '%.*s' of debug messages; there are: all%s", (int)len,
			    name, strbuf_str(&known));
}

struct err *log_debug_enable(const char *list)
{
	struct err *e = NULL;

	start_ms = clock_ms();
	for (size_t len; !e && *list; list += len + (list[len] == ',')) {
		len = strcspn(list, ",");
		e = len ? enable(list, len) : NULL;
	}
	return e;
}

bool log_debug_is_on(enum log_category category)
{
	return is_on[category];
}

void log_debug(enum log_category category, const char *fmt, ...)
{
	va_list ap;

	if (!is_on[category])
		return;
	va_start(ap, fmt);

	cleanup_free char *text = xvasprintf(fmt, ap);

	va_end(ap);
	log_note("%.3f %s: %s", (double)(clock_ms() - start_ms) / 1000, category_names[category], text);
}
