/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/cancel.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Set by handlers, which any thread may be in, and read by all threads. */
static atomic_bool lets_finish, finishing, requested;
static int event_fd = -1;

void cancel_now(void)
{
	uint64_t one = 1;

	requested = true;
	/* Cannot fail in a way that matters: the flag is set. */
	(void)!write(event_fd, &one, sizeof(one));
}

static void on_signal(int sig)
{
	int saved = errno;

	/* Kernel and shell may both tell that a terminal has gone: that is one wish. */
	if (!lets_finish || sig == SIGTERM || (atomic_exchange(&finishing, true) && sig == SIGINT))
		cancel_now();
	errno = saved;
}

void cancel_install(void)
{
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event_fd < 0)
		abort();

	struct sigaction sa = { .sa_handler = on_signal }, old;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	/* nohup's wish that we outlive the terminal counts. */
	if (sigaction(SIGHUP, NULL, &old) || old.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &sa, NULL);
}

void cancel_let_finish(void)
{
	lets_finish = true;
}

bool cancel_is_finishing(void)
{
	return finishing || requested;
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
