/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/thread.h"

#include <signal.h>

#include "tests/tap.h"

/** Does a thread get this signal? */
static bool gets(int sig)
{
	sigset_t blocked;

	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	return !sigismember(&blocked, sig);
}

static void *look(void *arg)
{
	bool *has_signals = arg;

	*has_signals = gets(SIGINT) || gets(SIGTERM) || gets(SIGHUP);
	return arg;
}

int main(void)
{
	bool has_signals = true;
	void *result = NULL;
	pthread_t thread;

	is_int(thread_start(&thread, look, &has_signals), 0, "a thread is started");
	pthread_join(thread, &result);
	ok(result == &has_signals, "with its argument");
	ok(!has_signals, "it gets no signals");
	ok(gets(SIGINT) && gets(SIGTERM), "who started it still does");
	return tap_done();
}
