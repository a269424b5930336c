/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "guest/proto.h"
#include "harness/base/alloc.h"
#include "harness/base/cancel.h"
#include "harness/base/clock.h"

/*
 * How long a send may wait for the guest to make room; our messages are small, so a full socket means a stuck
 * guest.
 */
#define SEND_TIMEOUT_MS 10000

struct err *channel_listen(const char *path, const struct stage_user *user, int *ret)
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

struct err *channel_accept(int listen_fd, uid_t uid, int timeout_ms, struct channel *ret)
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

void channel_deinit(struct channel *ch)
{
	if (ch->fd >= 0)
		close(ch->fd);
	if (ch->pidfd >= 0)
		close(ch->pidfd);
	strbuf_deinit(&ch->bytes);
}

void guest_msg_destroy(struct guest_msg *m)
{
	if (!m)
		return;
	json_decref(m->json);
	free(m->payload);
	free(m);
}

void channel_feed(struct channel *ch, const void *data, size_t len)
{
	/* Frames already handed out are dropped here, once per read, rather than once per frame. */
	if (ch->start) {
		ch->bytes.len -= ch->start;
		memmove(ch->bytes.data, ch->bytes.data + ch->start, ch->bytes.len);
		ch->start = 0;
	}
	strbuf_add(&ch->bytes, data, len);
}

struct err *channel_next(struct channel *ch, struct guest_msg **ret)
{
	size_t len = ch->bytes.len - ch->start;
	struct proto_frame f;

	*ret = NULL;
	if (len < PROTO_FRAME_BYTES)
		return NULL;

	const uint8_t *head = (const uint8_t *)ch->bytes.data + ch->start;
	const char *wrong = proto_decode(head, &f);

	if (wrong)
		return err_new("corrupt frame from the guest: %s", wrong);

	size_t frame_len = (size_t)PROTO_FRAME_BYTES + f.json_len + f.payload_len;

	if (len < frame_len)
		return NULL;

	const char *text = (const char *)head + PROTO_FRAME_BYTES;
	const char *payload = text + f.json_len;

	if (!proto_crc_matches(&f, text, payload))
		return err_new("corrupt frame from the guest: checksum does not match");

	json_error_t je;
	cleanup(cleanup_json_) json_t *json = json_loadb(text, f.json_len, JSON_REJECT_DUPLICATES, &je);

	if (!json)
		return err_new("corrupt frame from the guest: %s", je.text);
	if (!json_is_string(json_object_get(json, "type")))
		return err_new("corrupt frame from the guest: no message type");

	struct guest_msg *m = xcalloc(1, sizeof(*m));

	m->json = take_ptr(json);
	m->payload = xmemdup0(payload, f.payload_len);
	m->payload_len = f.payload_len;
	ch->start += frame_len;
	*ret = m;
	return NULL;
}

/** Appends the frame of a JSON object, without payload, to out. */
static struct err *write_frame(struct strbuf *out, json_t *json)
{
	cleanup_free char *text = json_dumps(json, JSON_COMPACT);
	uint8_t head[PROTO_FRAME_BYTES];

	if (!text)
		return err_new("message cannot be written as JSON");

	size_t len = strlen(text);

	if (len > PROTO_JSON_MAX)
		return err_new("message of %zu bytes is too long for the agent (at most %d)", len,
			       PROTO_JSON_MAX);
	proto_encode(head, text, (uint32_t)len, NULL, 0);
	strbuf_add(out, head, sizeof(head));
	strbuf_add(out, text, len);
	return NULL;
}

/** Waits for events on the socket until the deadline; *ret_ready says whether they came. */
static struct err *wait_for(struct channel *ch, short events, int64_t deadline_ms, bool *ret_ready)
{
	struct pollfd fds[2] = { { ch->fd, events, 0 }, { cancel_fd(), POLLIN, 0 } };

	for (;;) {
		if (cancel_requested())
			return cancel_error();

		int64_t left = deadline_ms - clock_ms();
		int n = TEMP_FAILURE_RETRY(poll(fds, 2, left > 0 ? (int)left : 0));

		if (n < 0)
			return err_errno(errno, "cannot wait for the guest");
		*ret_ready = fds[0].revents != 0;
		if (n == 0 || *ret_ready)
			return NULL;
	}
}

struct err *channel_send(struct channel *ch, json_t *json)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	struct err *e = write_frame(&out, json);
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
		struct err *e = channel_next(ch, ret);

		if (e || *ret)
			return e;

		bool is_ready = false;

		e = wait_for(ch, POLLIN, deadline_ms, &is_ready);
		if (e || !is_ready)
			return e;

		char buf[65536];
		ssize_t n = read(ch->fd, buf, sizeof(buf));

		if (n > 0)
			channel_feed(ch, buf, (size_t)n);
		else if (n == 0)
			return err_new("the guest closed the line");
		else if (errno != EAGAIN && errno != EINTR)
			return err_errno(errno, "cannot hear the guest");
	}
}
