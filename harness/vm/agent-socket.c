/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/agent-socket.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness/base/cleanup.h"
#include "harness/base/clock.h"

struct err *agent_socket_listen(const char *path, const struct stage_user *user, int *ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	size_t len = strlen(path);

	if (len >= sizeof(address.sun_path))
		return err_new("socket path '%s' has more than %zu bytes", path,
			       sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, len + 1);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || chmod(path, 0600))
		return err_errno(errno, "cannot create socket '%s'", path);

	struct err *e = stage_give(path, user, true);

	/* Before this nobody can connect. */
	if (!e && listen(fd, 4))
		e = err_errno(errno, "cannot listen at '%s'", path);
	if (!e)
		*ret = take_fd(fd);
	return e;
}

/**
 * A descriptor of the process at the other end, -1 when there is none. The id may be another process's by the
 * time it is opened, but not while the connection is up: then its process has lived all along.
 */
static int open_peer(int fd, pid_t pid)
{
	cleanup_close int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
	struct pollfd pollfd = { .fd = fd, .events = POLLRDHUP };

	if (pidfd >= 0 && (poll(&pollfd, 1, 0) < 0 || pollfd.revents))
		return -1;
	return take_fd(pidfd);
}

struct err *agent_socket_accept(int listen_fd, uid_t uid, int timeout_ms, struct agent_peer *ret)
{
	int64_t end_ms = clock_ms() + timeout_ms;

	for (int64_t left_ms; (left_ms = end_ms - clock_ms()) > 0;) {
		struct pollfd pollfd = { .fd = listen_fd, .events = POLLIN };
		struct ucred cred;
		socklen_t len = sizeof(cred);

		if (poll(&pollfd, 1, (int)left_ms) != 1)
			continue;

		cleanup_close int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) || cred.uid != uid)
			continue;
		ret->pid = cred.pid;
		ret->pidfd = open_peer(fd, cred.pid);
		ret->fd = take_fd(fd);
		return NULL;
	}
	return err_new("QEMU did not connect to the agent's socket");
}
