/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The line to a guest: who is at its other end; what a broken or hostile one sends ends in an error, never in
 * a message or a crash; one that is gone, full, slow or mute ends in an error or a timeout, and a wish to
 * stop is heard at once.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "guest/proto.h"
#include "harness/base/cancel.h"
#include "harness/base/clock.h"
#include "harness/vm/channel.h"
#include "tests/unit/errors.h"

/** A frame with payload, as the agent makes it. */
static void add_frame(struct strbuf *out, const char *json, const char *payload)
{
	uint8_t head[PROTO_FRAME_BYTES];

	proto_encode(head, json, (uint32_t)strlen(json), payload, (uint32_t)strlen(payload));
	strbuf_add(out, head, sizeof(head));
	strbuf_adds(out, json);
	strbuf_adds(out, payload);
}

/** Feeds bytes; the error's text, "message", or "" when more is needed. */
static const char *outcome(const void *data, size_t len)
{
	static char text[200];
	cleanup(channel_deinit) struct channel ch = CHANNEL_INIT;
	struct guest_msg *m = NULL;

	channel_feed(&ch, data, len);

	struct err *e = channel_next(&ch, &m);

	snprintf(text, sizeof(text), "%s", e ? err_message(e) : m ? "message" : "");
	err_free(e);
	guest_msg_destroy(m);
	return text;
}

static void test_stream(void)
{
	cleanup_strbuf struct strbuf bytes = STRBUF_INIT;
	cleanup(channel_deinit) struct channel ch = CHANNEL_INIT;
	int messages = 0;
	bool are_right = true;

	for (int i = 0; i < 20; i++)
		add_frame(&bytes, "{\"type\":\"output\",\"pid\":7}", "some text");
	/* One byte at a time: the worst way a stream can be cut. */
	for (size_t i = 0; i < bytes.len; i++) {
		struct guest_msg *m;

		channel_feed(&ch, bytes.data + i, 1);
		must(channel_next(&ch, &m));
		if (!m)
			continue;
		messages++;
		are_right = are_right && m->payload_len == 9 && strcmp(m->payload, "some text") == 0 &&
			    json_integer_value(json_object_get(m->json, "pid")) == 7;
		guest_msg_destroy(m);
	}
	is_int(messages, 20, "a stream cut into single bytes gives every message once");
	ok(are_right, "with its JSON and its payload");
}

static void test_damage(void)
{
	cleanup_strbuf struct strbuf bytes = STRBUF_INIT;
	bool waits = true;
	int accepted = 0;

	add_frame(&bytes, "{\"type\":\"hello\",\"proto\":1}", "payload");
	for (size_t len = 0; len < bytes.len; len++)
		waits = waits && strcmp(outcome(bytes.data, len), "") == 0;
	ok(waits, "every truncated frame waits for more");
	is_str(outcome(bytes.data, bytes.len), "message", "the whole frame is a message");
	for (size_t bit = 0; bit < bytes.len * 8; bit++) {
		bytes.data[bit / 8] ^= (char)(1 << bit % 8);
		accepted += strcmp(outcome(bytes.data, bytes.len), "message") == 0;
		bytes.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	is_int(accepted, 0, "no frame with a single flipped bit is accepted");
}

/* Which lengths are refused: tests/unit/guest/proto.c. */
static void test_headers(void)
{
	uint8_t head[PROTO_FRAME_BYTES];

	proto_encode(head, "{}", 2, NULL, 0);
	proto_put32(head + 8, PROTO_PAYLOAD_MAX + 1);
	has_str(outcome(head, sizeof(head)), "bad payload length",
		"what is too long is refused by its header alone");
	has_str(outcome("GET / HTTP/1.1\r\n\r\n", 18), "bad magic", "another protocol is refused");
}

static void test_json(void)
{
	static const char *const bad[] = {
		"[]", "{}", "{\"type\":3}", "{\"type\":\"a\",\"type\":\"b\"}", "{\"type\":\"a\"", "nul"
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cleanup_strbuf struct strbuf bytes = STRBUF_INIT;

		add_frame(&bytes, bad[i], "");
		has_str(outcome(bytes.data, bytes.len), "corrupt frame", bad[i]);
	}
}

/** A line whose other end is *ret_guest. */
static struct channel open_line(int *ret_guest)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) || fcntl(fds[0], F_SETFL, O_NONBLOCK))
		_exit(1);
	*ret_guest = fds[1];
	return (struct channel){ .fd = fds[0], .pidfd = -1 };
}

static struct err *say(struct channel *ch, const char *type)
{
	cleanup(cleanup_json_) json_t *json = json_pack("{s:s}", "type", type);

	return channel_send(ch, json);
}

static void test_talk(void)
{
	cleanup_close int guest_fd = -1;
	cleanup(channel_deinit) struct channel ch = open_line(&guest_fd);
	cleanup_strbuf struct strbuf frame = STRBUF_INIT, large = STRBUF_INIT;
	struct guest_msg *m = NULL;
	char answer[100];

	add_frame(&frame, "{\"type\":\"hello\"}", "");
	ok(write(guest_fd, frame.data, 20) == 20, "a part of a frame");

	int64_t start_ms = clock_ms();

	ok(!channel_recv(&ch, 30, &m) && !m, "is no message");
	ok(clock_ms() - start_ms >= 30, "when the time is over");
	ok(write(guest_fd, frame.data + 20, frame.len - 20) > 0 && !channel_recv(&ch, 1000, &m) && m,
	   "with the rest it is one");
	guest_msg_destroy(m);
	no_err(say(&ch, "thaw"), "and it can be answered");

	ssize_t n = read(guest_fd, answer, sizeof(answer));

	is_int(n, PROTO_FRAME_BYTES + 15, "by one frame");
	is_str(outcome(answer, (size_t)n), "message", "that can be read back");
	while (large.len < PROTO_JSON_MAX)
		strbuf_adds(&large, "x");
	is_err(say(&ch, large.data), "too long", "a message that is too long is refused before it is sent");
}

static void test_gone(void)
{
	int guest_fd;
	cleanup(channel_deinit) struct channel ch = open_line(&guest_fd);
	struct guest_msg *m;

	close(guest_fd);
	is_err(say(&ch, "thaw"), "cannot send", "to a guest that is gone: an error, no signal that ends us");
	is_err(channel_recv(&ch, 1000, &m), "closed the line", "from one: an error too");
}

static void test_stop(void)
{
	cleanup_close int guest_fd = -1;
	cleanup(channel_deinit) struct channel ch = open_line(&guest_fd);
	struct guest_msg *m;
	int64_t start_ms = clock_ms();
	struct err *e;

	raise(SIGTERM);
	is_err_kind(channel_recv(&ch, 2 * HANGS_S * 1000, &m), ERR_INTERRUPTED, "stopped on request",
		    "a wish to stop is heard while waiting for a message");
	/* A guest that takes nothing: the socket fills up. */
	do
		e = say(&ch, "thaw");
	while (!e);
	is_err_kind(e, ERR_INTERRUPTED, "stopped on request", "and while waiting for room");
	ok(clock_ms() - start_ms < HANGS_S * 1000, "at once");
}

/* Who is at the other end. A QEMU is played by a child that connects. */

static struct stage_user me;

static int listen_here(void)
{
	int fd;

	must(channel_listen("agent", &me, &fd));
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
	cleanup(channel_deinit) struct channel peer = CHANNEL_INIT;
	pid_t pid = start_peer(me.uid, true);

	no_err(channel_accept(listen_fd, me.uid, HANGS_S * 1000, &peer), "a connection is accepted");
	ok(peer.fd >= 0, "and open");
	is_int(peer.pid, pid, "its process is known");
	ok(peer.pidfd >= 0 && !has_ended(peer.pidfd), "and held while it lives");
	end_peer(pid);
	ok(has_ended(peer.pidfd), "so that its end is seen");
}

/* The id is still that of the child, a zombie, but might as well be another process's by now. */
static void test_dead_peer(void)
{
	cleanup_close int listen_fd = listen_here();
	cleanup(channel_deinit) struct channel peer = { .fd = -1, .pidfd = -2 };
	pid_t pid = start_peer(me.uid, false);
	siginfo_t info;

	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	no_err(channel_accept(listen_fd, me.uid, HANGS_S * 1000, &peer),
	       "a connection whose process has ended is accepted");
	ok(peer.fd >= 0, "and open");
	is_int(peer.pidfd, -1, "but whoever has its id now is not taken for it");
	end_peer(pid);
}

/** Nobody of that user comes in time. */
static void is_refused(int listen_fd, uid_t uid, int timeout_ms, const char *what)
{
	cleanup(channel_deinit) struct channel peer = CHANNEL_INIT;

	is_err(channel_accept(listen_fd, uid, timeout_ms, &peer), "did not connect", what);
	is_int(peer.fd, -1, "and there is no connection");
}

static void test_others(void)
{
	cleanup_close int listen_fd = listen_here();

	is_refused(listen_fd, me.uid, 20, "when nobody comes there is an error");
	is_int(test_mode("agent"), 0600, "the socket is for its user alone");
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
	is_err(channel_listen(too_long, &me, &fd), "more than 107 bytes",
	       "a path too long for a socket is refused");
}

static void set_up(void)
{
	ok(chmod(test_enter_dir(), 0711) == 0, "a directory that others can pass");
	stage_user_init(&me, geteuid(), getegid());
	/* As for a program started by nohup. */
	signal(SIGHUP, SIG_IGN);
	cancel_install();
	raise(SIGHUP);
	ok(!cancel_requested(), "a hang-up that was ignored from the start stays ignored");
}

TAP_MAIN(set_up, test_living_peer, test_dead_peer, test_others, test_knocking, test_long_path, test_stream,
	 test_damage, test_headers, test_json, test_talk, test_gone, test_stop)
