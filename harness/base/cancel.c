/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/cancel.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static volatile sig_atomic_t requested;
static int event_fd = -1;

static void on_signal(int sig)
{
	int saved = errno;
	uint64_t one = 1;

	(void)sig;
	requested = 1;
	/* Cannot fail in a way that matters: the flag is set. */
	(void)!write(event_fd, &one, sizeof(one));
	errno = saved;
}

void cancel_install(void)
{
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event_fd < 0)
		abort();

	struct sigaction sa = { .sa_handler = on_signal };

	struct sigaction old;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	/* nohup's wish that we outlive the terminal counts. */
	if (sigaction(SIGHUP, NULL, &old) || old.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &sa, NULL);
}

bool cancel_requested(void)
{
	return requested;
}

int cancel_fd(void)
{
	return event_fd;
}

struct err *cancel_error(void)
{
	return err_new_kind(ERR_INTERRUPTED, "stopped on request");
}
