/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/thread.h"

#include <signal.h>

int thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	sigset_t all, old;

	/* A thread begins with the mask of who starts it. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);

	int errnum = pthread_create(thread, NULL, run, arg);

	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return errnum;
}
