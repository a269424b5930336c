/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/agent-socket.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "harness/base/cleanup.h"
#include "tests/unit/errors.h"

/* Who is at the other end of the agent's socket. A QEMU is played by a child that connects. */

static struct stage_user me;

static int listen_here(void)
{
	int fd;

	must(agent_socket_listen("agent", &me, &fd));
	return fd;
}

static int connect_here(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "agent" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

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
	pid_t pid = start_peer(me.uid, true);

	no_err(agent_socket_accept(listen_fd, me.uid, HANGS_S * 1000, &peer), "a connection is accepted");
	ok(peer.fd >= 0, "and open");
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
	pid_t pid = start_peer(me.uid, false);
	siginfo_t info;

	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	no_err(agent_socket_accept(listen_fd, me.uid, HANGS_S * 1000, &peer),
	       "a connection whose process has ended is accepted");
	ok(peer.fd >= 0, "and open");
	is_int(peer.pidfd, -1, "but whoever has its id now is not taken for it");
	end_peer(pid);
	close(peer.fd);
}

/** Nobody of that user comes in time. */
static void is_refused(int listen_fd, uid_t uid, int timeout_ms, const char *what)
{
	struct agent_peer peer = { .fd = -1, .pidfd = -1 };

	is_err(agent_socket_accept(listen_fd, uid, timeout_ms, &peer), "did not connect", what);
	is_int(peer.fd, -1, "and there is no connection");
}

static void test_others(void)
{
	cleanup_close int listen_fd = listen_here();
	struct stat st;

	is_refused(listen_fd, me.uid, 20, "when nobody comes there is an error");
	ok(stat("agent", &st) == 0 && (st.st_mode & 0777) == 0600, "the socket is for its user alone");
	if (me.uid == 0) {
		chmod("agent", 0666);

		pid_t pid = start_peer(65534, true);

		is_refused(listen_fd, me.uid, 500, "another user is turned away");
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
	pid_t pid = fork();

	if (pid == 0)
		knock();
	alarm(HANGS_S);
	is_refused(listen_fd, me.uid + 1, 300, "who knocks all the time does not put the time limit off");
	alarm(0);
	end_peer(pid);
}

static void test_long_path(void)
{
	char too_long[200] = "";
	int fd = -1;

	memset(too_long, 'x', sizeof(too_long) - 1);
	is_err(agent_socket_listen(too_long, &me, &fd), "more than 107 bytes",
	       "a path too long for a socket is refused");
}

int main(void)
{
	ok(chmod(test_enter_dir(), 0711) == 0, "a directory that others can pass");
	stage_user_init(&me, geteuid(), getegid());
	test_living_peer();
	test_dead_peer();
	test_others();
	test_knocking();
	test_long_path();
	return tap_done();
}
