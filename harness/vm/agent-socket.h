/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/host/stage.h"

/*
 * The socket that a guest's QEMU connects to, so that its agent has a line from the first instruction on.
 * The connection also tells which process the QEMU is, whoever started it.
 */

/** A listening socket at path; only user may connect, as far as we may arrange that. Removes what is there.
 */
struct err *agent_socket_listen(const char *path, const struct stage_user *user, int *ret) must_check;

/** The other end of an accepted connection. */
struct agent_peer {
	int fd;    /**< non-blocking */
	pid_t pid; /**< 0 when it cannot be seen from here */
	int pidfd; /**< -1 when it cannot be seen from here, or has ended */
};

/** Accepts the first connection that comes from user uid within timeout_ms; others are turned away. */
struct err *agent_socket_accept(int listen_fd, uid_t uid, int timeout_ms, struct agent_peer *ret) must_check;
