/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The line to a guest: one that is gone, full, slow or mute ends in an error or a timeout, and a wish to stop
 * is heard at once.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/proto.h"
#include "harness/base/cancel.h"
#include "harness/base/clock.h"
#include "harness/vm/channel.h"
#include "harness/vm/frame.h"
#include "tests/tap.h"

static int guest_fd, host_fd;

static struct channel *open_line(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) || fcntl(fds[0], F_SETFL, O_NONBLOCK))
		_exit(1);
	host_fd = fds[0];
	guest_fd = fds[1];
	return channel_create(host_fd);
}

static void close_line(struct channel *ch)
{
	channel_destroy(ch);
	close(host_fd);
	if (guest_fd >= 0)
		close(guest_fd);
}

static void hang_up(void)
{
	close(guest_fd);
	guest_fd = -1;
}

static struct err *say(struct channel *ch)
{
	json_t *json = json_pack("{s:s}", "type", "thaw");
	struct err *e = channel_send(ch, json);

	json_decref(json);
	return e;
}

static void test_talk(void)
{
	struct channel *ch = open_line();
	struct guest_msg *m = NULL;
	uint8_t frame[PROTO_FRAME_BYTES + 16];

	proto_encode(frame, "{\"type\":\"hello\"}", 16, "", 0);
	memcpy(frame + PROTO_FRAME_BYTES, "{\"type\":\"hello\"}", 16);
	ok(write(guest_fd, frame, 20) == 20, "a part of a frame");

	int64_t start_ms = clock_ms();

	ok(!channel_recv(ch, 30, &m) && !m, "is no message");
	ok(clock_ms() - start_ms >= 30, "when the time is over");
	ok(write(guest_fd, frame + 20, sizeof(frame) - 20) > 0 && !channel_recv(ch, 1000, &m) && m,
	   "with the rest it is one");
	guest_msg_destroy(m);
	ok(!say(ch) && read(guest_fd, frame, sizeof(frame)) == PROTO_FRAME_BYTES + 15,
	   "and it can be answered");
	close_line(ch);
}

static void test_gone(void)
{
	struct channel *ch = open_line();
	struct guest_msg *m;

	hang_up();

	struct err *e = say(ch);

	has_str(e ? err_message(e) : NULL, "cannot send",
		"to a guest that is gone: an error, no signal that ends us");
	err_free(e);
	e = channel_recv(ch, 1000, &m);
	has_str(e ? err_message(e) : NULL, "closed the line", "from one: an error too");
	err_free(e);
	close_line(ch);
}

static void test_stop(void)
{
	struct channel *ch = open_line();
	struct guest_msg *m;
	struct err *e = NULL;
	int64_t start_ms = clock_ms();

	raise(SIGTERM);
	e = channel_recv(ch, 2 * HANGS_S * 1000, &m);
	ok(e && err_get_kind(e) == ERR_INTERRUPTED, "a wish to stop is heard while waiting for a message");
	err_free(e);
	/* A guest that takes nothing: the socket fills up. */
	do
		e = say(ch);
	while (!e);
	ok(err_get_kind(e) == ERR_INTERRUPTED, "and while waiting for room");
	err_free(e);
	ok(clock_ms() - start_ms < HANGS_S * 1000, "at once");
	close_line(ch);
}

int main(void)
{
	/* As for a program started by nohup. */
	signal(SIGHUP, SIG_IGN);
	cancel_install();
	raise(SIGHUP);
	ok(!cancel_requested(), "a hang-up that was ignored from the start stays ignored");
	test_talk();
	test_gone();
	test_stop();
	return tap_done();
}
