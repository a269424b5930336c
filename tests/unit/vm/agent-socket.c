/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/agent-socket.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "tests/tap.h"

/* Who is at the other end of the agent's socket. A QEMU is played by a child that connects. */

static char *path;

static int listen_here(void)
{
	int fd = -1;
	struct err *e = agent_socket_listen(path, geteuid(), getegid(), &fd);

	if (e)
		printf("# %s\n", err_message(e));
	err_free(e);
	return fd;
}

static int connect_here(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, path);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) ? -1 : fd;
}

/* A child of that user that connects, and then stays or ends. */
static pid_t start_peer(uid_t uid, bool stays)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if ((uid != geteuid() && setuid(uid)) || connect_here() < 0)
		_exit(1);
	if (stays)
		pause();
	_exit(0);
}

static void end_peer(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static bool has_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void test_living_peer(void)
{
	cleanup_close int listen_fd = listen_here();
	struct agent_peer peer = { .fd = -1, .pidfd = -1 };
	pid_t pid = start_peer(geteuid(), true);
	struct err *e = agent_socket_accept(listen_fd, geteuid(), HANGS_S * 1000, &peer);

	ok(!e && peer.fd >= 0, "a connection is accepted");
	is_int(peer.pid, pid, "its process is known");
	ok(peer.pidfd >= 0 && !has_ended(peer.pidfd), "and held while it lives");
	end_peer(pid);
	ok(has_ended(peer.pidfd), "so that its end is seen");
	close(peer.pidfd);
	close(peer.fd);
}

/* The id is still that of the child, a zombie, but might as well be another process's by now. */
static void test_dead_peer(void)
{
	cleanup_close int listen_fd = listen_here();
	struct agent_peer peer = { .fd = -1, .pidfd = -2 };
	pid_t pid = start_peer(geteuid(), false);
	siginfo_t info;

	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);

	struct err *e = agent_socket_accept(listen_fd, geteuid(), HANGS_S * 1000, &peer);

	ok(!e && peer.fd >= 0, "a connection whose process has ended is accepted");
	is_int(peer.pidfd, -1, "but whoever has its id now is not taken for it");
	end_peer(pid);
	close(peer.fd);
}

static void test_others(void)
{
	cleanup_close int listen_fd = listen_here();
	struct agent_peer peer = { .fd = -1, .pidfd = -1 };
	struct err *e = agent_socket_accept(listen_fd, geteuid(), 20, &peer);
	pid_t pid = -1;
	struct stat st;

	ok(e && peer.fd == -1, "when nobody comes there is an error");
	err_free(e);
	ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "the socket is for its user alone");
	if (geteuid() == 0) {
		chmod(path, 0666);
		pid = start_peer(65534, true);
		e = agent_socket_accept(listen_fd, geteuid(), 500, &peer);
		ok(e && peer.fd == -1, "another user is turned away");
		err_free(e);
		end_peer(pid);
	}
}

_Noreturn static void knock(void)
{
	for (;;) {
		int fd = connect_here();

		if (fd >= 0)
			close(fd);
		usleep(20000);
	}
}

/* Each knock is less than the time limit after the one before. */
static void test_knocking(void)
{
	cleanup_close int listen_fd = listen_here();
	struct agent_peer peer = { .fd = -1, .pidfd = -1 };
	pid_t pid = fork();

	if (pid == 0)
		knock();
	alarm(HANGS_S);

	struct err *e = agent_socket_accept(listen_fd, geteuid() + 1, 300, &peer);

	alarm(0);
	ok(e != NULL, "who knocks all the time does not put the time limit off");
	err_free(e);
	end_peer(pid);
}

static void test_long_path(void)
{
	char too_long[200];
	int fd = -1;

	memset(too_long, 'x', sizeof(too_long));
	too_long[sizeof(too_long) - 1] = '\0';

	struct err *e = agent_socket_listen(too_long, geteuid(), getegid(), &fd);

	has_str(e ? err_message(e) : NULL, "more than 107 bytes", "a path too long for a socket is refused");
	err_free(e);
}

int main(void)
{
	char dir[] = "/tmp/swapcal-test-XXXXXX";

	if (!mkdtemp(dir) || chmod(dir, 0711))
		return 1;
	path = xasprintf("%s/agent", dir);
	test_living_peer();
	test_dead_peer();
	test_others();
	test_knocking();
	test_long_path();
	err_free(file_remove_tree(dir));
	free(path);
	return tap_done();
}
