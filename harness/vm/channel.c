/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/cleanup.h"
#include "harness/base/clock.h"
#include "harness/vm/frame.h"

/*
 * How long a send may wait for the guest to make room; our messages are small, so a full socket means a stuck
 * guest.
 */
#define SEND_TIMEOUT_MS 10000

struct channel {
	int fd;
	struct frame_reader reader;
};

struct channel *channel_create(int fd)
{
	struct channel *ch = xcalloc(1, sizeof(*ch));

	ch->fd = fd;
	return ch;
}

void channel_destroy(struct channel *ch)
{
	if (!ch)
		return;
	frame_reader_deinit(&ch->reader);
	free(ch);
}

/** Waits for events on the socket until the deadline; *ret_ready says whether they came. */
static struct err *wait_for(struct channel *ch, short events, int64_t deadline_ms, bool *ret_ready)
{
	struct pollfd fds[2] = { { ch->fd, events, 0 }, { cancel_fd(), POLLIN, 0 } };

	for (;;) {
		if (cancel_requested())
			return cancel_error();

		int64_t left = deadline_ms - clock_ms();
		int n = poll(fds, 2, left > 0 ? (int)left : 0);

		if (n < 0 && errno != EINTR)
			return err_errno(errno, "cannot wait for the guest");
		if (n > 0 && fds[0].revents) {
			*ret_ready = true;
			return NULL;
		}
		if (n == 0) {
			*ret_ready = false;
			return NULL;
		}
	}
}

struct err *channel_send(struct channel *ch, json_t *json)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	struct err *e = frame_write(&out, json);
	int64_t deadline_ms = clock_ms() + SEND_TIMEOUT_MS;

	for (size_t sent = 0; !e && sent < out.len;) {
		/* A guest that is gone is an error of this probe, not a signal that ends us. */
		ssize_t n = send(ch->fd, out.data + sent, out.len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			sent += (size_t)n;
		} else if (errno == EAGAIN) {
			bool is_ready = false;

			e = wait_for(ch, POLLOUT, deadline_ms, &is_ready);
			if (!e && !is_ready)
				e = err_new("the guest takes no messages");
		} else if (errno != EINTR) {
			e = err_errno(errno, "cannot send to the guest");
		}
	}
	return e;
}

struct err *channel_recv(struct channel *ch, int timeout_ms, struct guest_msg **ret)
{
	int64_t deadline_ms = clock_ms() + timeout_ms;

	for (;;) {
		struct err *e = frame_next(&ch->reader, ret);

		if (e || *ret)
			return e;

		bool is_ready = false;

		e = wait_for(ch, POLLIN, deadline_ms, &is_ready);
		if (e || !is_ready)
			return e;

		char buf[65536];
		ssize_t n = read(ch->fd, buf, sizeof(buf));

		if (n > 0)
			frame_feed(&ch->reader, buf, (size_t)n);
		else if (n == 0)
			return err_new("the guest closed the line");
		else if (errno != EAGAIN && errno != EINTR)
			return err_errno(errno, "cannot hear the guest");
	}
}
