/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <signal.h>

#include "tests/unit/errors.h"

/* A QEMU is played by the test's own program under another name. */

/**
 * Starts it as name with a path among its arguments, and waits until it runs under that name. guest: the
 * value of -name; NULL: it is asked for its abilities.
 */
__attribute__((unused)) static pid_t start_fake(const char *name, const char *guest, const char *path)
{
	int ready[2];
	char c;

	if (pipe(ready))
		abort();

	pid_t pid = fork();

	if (pid == 0) {
		dup2(ready[1], 1);
		execl("/proc/self/exe", name, guest ? "-name" : "-S", guest ? guest : "x", path,
		      (char *)NULL);
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		abort();
	close(ready[0]);
	return pid;
}

/** For main(), before all else: never returns in a process that start_fake() made. */
__attribute__((unused)) static void be_fake(int argc)
{
	if (argc != 4)
		return;
	if (write(1, "r", 1) != 1)
		_exit(1);
	pause();
	_exit(0);
}

/** Ends a child; was it killed before? */
__attribute__((unused)) static bool was_killed(pid_t pid)
{
	int status;
	bool is_dead = waitpid(pid, &status, WNOHANG) == pid;

	if (!is_dead) {
		kill(pid, SIGTERM);
		waitpid(pid, &status, 0);
	}
	return is_dead && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}
