/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "harness/base/err.h"

/*
 * Child processes that cannot outlive us. A job runs in a process group of its own under a small supervisor
 * process: when the caller cancels, when time is up, or when this process dies (even by SIGKILL), the whole
 * group gets SIGTERM and, a grace time later, SIGKILL.
 */

struct subprocess {
	/** The program and its arguments, NULL-terminated, found through PATH; no shell is involved. */
	const char *const *argv;

	/**
	 * Without argv: called in a forked child instead; lines it prints to stdout arrive like those of a
	 * program, its error becomes subprocess_run()'s. The child has only the calling thread.
	 */
	struct err *(*call)(void *arg);
	void *call_arg;

	const char *const *env; /**< NAME=VALUE to add to the environment, NULL-terminated; or NULL */
	bool private_mounts;    /**< as root: mounts the job leaves behind vanish with it */
	int timeout_s;          /**< the longest the job may take; 0: no limit */

	/** Called for each line of stdout and stderr, without its newline; or NULL. */
	void (*line)(void *arg, const char *line);
	void *line_arg;

	bool (*cancelled)(void); /**< asked a few times a second; or NULL */
};

/**
 * Runs a job to its end. Its stdin is /dev/null. A failed program's error ends in the last lines it printed
 * to stderr; a cancelled job's is of kind ERR_INTERRUPTED.
 */
struct err *subprocess_run(const struct subprocess *job) must_check;

/** The executable of that name in PATH, as execvp() finds it, to be freed; NULL: there is none. */
char *subprocess_find_program(const char *name);
bool subprocess_program_exists(const char *name);
