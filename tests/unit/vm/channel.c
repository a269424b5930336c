/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The line to a guest: what a broken or hostile one sends ends in an error, never in a message or a crash;
 * one that is gone, full, slow or mute ends in an error or a timeout, and a wish to stop is heard at once.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

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
	struct channel ch = { .fd = -1 };
	struct guest_msg *m = NULL;

	channel_feed(&ch, data, len);

	struct err *e = channel_next(&ch, &m);

	snprintf(text, sizeof(text), "%s", e ? err_message(e) : m ? "message" : "");
	err_free(e);
	guest_msg_destroy(m);
	channel_deinit(&ch);
	return text;
}

static void test_stream(void)
{
	cleanup_strbuf struct strbuf bytes = STRBUF_INIT;
	struct channel ch = { .fd = -1 };
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
	channel_deinit(&ch);
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

static void test_lengths(void)
{
	static const struct {
		uint32_t json, payload;
		const char *why, *what;
	} rows[] = {
		{ PROTO_JSON_MAX + 1, 0, "bad header length",
		  "an oversized JSON part, from its header alone" },
		{ 0, 0, "bad header length", "an empty JSON part" },
		{ 2, PROTO_PAYLOAD_MAX + 1, "bad payload length",
		  "an oversized payload, from its header alone" },
	};
	uint8_t head[PROTO_FRAME_BYTES];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		proto_encode(head, "{}", 2, NULL, 0);
		proto_put32(head + 4, rows[i].json);
		proto_put32(head + 8, rows[i].payload);
		has_str(outcome(head, sizeof(head)), rows[i].why, rows[i].what);
	}
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
	return (struct channel){ .fd = fds[0] };
}

static void close_line(struct channel *ch)
{
	close(ch->fd);
	channel_deinit(ch);
}

static struct err *say(struct channel *ch, const char *type)
{
	cleanup(cleanup_json_) json_t *json = json_pack("{s:s}", "type", type);

	return channel_send(ch, json);
}

static void test_talk(void)
{
	cleanup_close int guest_fd = -1;
	cleanup(close_line) struct channel ch = open_line(&guest_fd);
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
	cleanup(close_line) struct channel ch = open_line(&guest_fd);
	struct guest_msg *m;

	close(guest_fd);
	is_err(say(&ch, "thaw"), "cannot send", "to a guest that is gone: an error, no signal that ends us");
	is_err(channel_recv(&ch, 1000, &m), "closed the line", "from one: an error too");
}

static void test_stop(void)
{
	cleanup_close int guest_fd = -1;
	cleanup(close_line) struct channel ch = open_line(&guest_fd);
	struct guest_msg *m;
	int64_t start_ms = clock_ms();

	raise(SIGTERM);

	struct err *e = channel_recv(&ch, 2 * HANGS_S * 1000, &m);

	ok(e && err_get_kind(e) == ERR_INTERRUPTED, "a wish to stop is heard while waiting for a message");
	err_free(e);
	/* A guest that takes nothing: the socket fills up. */
	do
		e = say(&ch, "thaw");
	while (!e);
	ok(err_get_kind(e) == ERR_INTERRUPTED, "and while waiting for room");
	err_free(e);
	ok(clock_ms() - start_ms < HANGS_S * 1000, "at once");
}

int main(void)
{
	/* As for a program started by nohup. */
	signal(SIGHUP, SIG_IGN);
	cancel_install();
	raise(SIGHUP);
	ok(!cancel_requested(), "a hang-up that was ignored from the start stays ignored");
	test_stream();
	test_damage();
	test_lengths();
	test_json();
	test_talk();
	test_gone();
	test_stop();
	return tap_done();
}
