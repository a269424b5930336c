/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "guest/agent/agent.h"

/** What to start. The environment gets defaults for PATH and HOME, and the numbers of the descriptors. */
struct spawn_request {
	char **argv;
	size_t argc;
	char **env;
	size_t env_len;
	enum cgroup group;
	bool chrooted;   /**< in the root image, as a user without rights; else in the initramfs, as root */
	int progress_fd; /**< for a process of the initramfs: the page in which it counts */
	size_t slot;     /**< and its number there */
};

/** Our ends of a process's pipes; none blocks. -1: closed. */
struct spawn_pipes {
	int exec; /**< see spawn_result() */
	int out;  /**< its stdout and stderr */
	int checkpoint;
	int resume; /**< to be written */
};

/** Forks a process into its cgroup. Whether exec worked is known later. NULL, or the reason. */
const char *spawn(const struct spawn_request *r, struct spawn_pipes *ret_pipes, pid_t *ret_pid);

/** Has exec worked? False while that is not known yet. *ret_error is NULL, or the reason why it did not. */
bool spawn_result(struct spawn_pipes *p, const char *name, const char **ret_error);

void close_fd(int *fd);
void spawn_close(struct spawn_pipes *p);
