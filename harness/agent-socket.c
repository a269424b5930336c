/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/agent-socket.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness/base/cleanup.h"
#include "harness/stage.h"

struct err *agent_socket_listen(const char *path, uid_t uid, gid_t gid, int *ret)
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

	struct err *e = stage_give(path, uid, gid);

	/* Before this nobody can connect. */
	if (!e && listen(fd, 4))
		e = err_errno(errno, "cannot listen at '%s'", path);
	if (!e)
		*ret = take_fd(fd);
	return e;
}

struct err *agent_socket_accept(int listen_fd, uid_t uid, int timeout_ms, struct agent_peer *ret)
{
	struct pollfd pollfd = { .fd = listen_fd, .events = POLLIN };

	while (poll(&pollfd, 1, timeout_ms) == 1) {
		cleanup_close int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct ucred cred;
		socklen_t len = sizeof(cred);

		if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) || cred.uid != uid)
			continue;
		*ret = (struct agent_peer){
			.fd = take_fd(fd),
			.pid = cred.pid,
			.pidfd = cred.pid > 0 ? pidfd_open(cred.pid, 0) : -1,
		};
		return NULL;
	}
	return err_new("QEMU did not connect to the agent's socket");
}
