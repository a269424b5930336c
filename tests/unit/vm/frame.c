/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Framing on the host's side: what a broken or hostile guest sends must end in an error, never in a message
 * or a crash.
 */
#include <stdlib.h>

#include "guest/proto.h"
#include "harness/vm/frame.h"
#include "tests/tap.h"

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
	struct frame_reader r = { 0 };
	struct guest_msg *m = NULL;

	frame_feed(&r, data, len);

	struct err *e = frame_next(&r, &m);

	snprintf(text, sizeof(text), "%s", e ? err_message(e) : m ? "message" : "");
	err_free(e);
	guest_msg_destroy(m);
	frame_reader_deinit(&r);
	return text;
}

static void test_stream(void)
{
	cleanup_strbuf struct strbuf bytes = STRBUF_INIT;
	struct frame_reader r = { 0 };
	int messages = 0;
	bool are_right = true;

	for (int i = 0; i < 20; i++)
		add_frame(&bytes, "{\"type\":\"output\",\"pid\":7}", "some text");
	/* One byte at a time: the worst way a stream can be cut. */
	for (size_t i = 0; i < bytes.len; i++) {
		struct guest_msg *m;

		frame_feed(&r, bytes.data + i, 1);

		struct err *e = frame_next(&r, &m);

		are_right = are_right && !e;
		err_free(e);
		if (!m)
			continue;
		messages++;
		are_right = are_right && m->payload_len == 9 && strcmp(m->payload, "some text") == 0 &&
			    json_integer_value(json_object_get(m->json, "pid")) == 7;
		guest_msg_destroy(m);
	}
	is_int(messages, 20, "a stream cut into single bytes gives every message once");
	ok(are_right, "with its JSON and its payload");
	frame_reader_deinit(&r);
}

static void test_truncated(void)
{
	cleanup_strbuf struct strbuf bytes = STRBUF_INIT;
	bool waits = true;

	add_frame(&bytes, "{\"type\":\"hello\"}", "payload");
	for (size_t len = 0; len < bytes.len; len++)
		waits = waits && strcmp(outcome(bytes.data, len), "") == 0;
	ok(waits, "every truncated frame waits for more");
	is_str(outcome(bytes.data, bytes.len), "message", "the whole frame is a message");
}

static void test_corrupt(void)
{
	cleanup_strbuf struct strbuf bytes = STRBUF_INIT;
	int accepted = 0;

	add_frame(&bytes, "{\"type\":\"hello\",\"proto\":1}", "payload");
	for (size_t bit = 0; bit < bytes.len * 8; bit++) {
		bytes.data[bit / 8] ^= (char)(1 << bit % 8);
		accepted += strcmp(outcome(bytes.data, bytes.len), "message") == 0;
		bytes.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	is_int(accepted, 0, "no frame with a single flipped bit is accepted");
}

static void test_lengths(void)
{
	uint8_t head[PROTO_FRAME_BYTES];

	proto_encode(head, "{}", 2, NULL, 0);
	proto_put32(head + 4, PROTO_JSON_MAX + 1);
	has_str(outcome(head, sizeof(head)), "bad header length",
		"an oversized JSON part is refused from its header alone");
	proto_put32(head + 4, 0);
	has_str(outcome(head, sizeof(head)), "bad header length", "an empty JSON part is refused");
	proto_put32(head + 4, 2);
	proto_put32(head + 8, PROTO_PAYLOAD_MAX + 1);
	has_str(outcome(head, sizeof(head)), "bad payload length",
		"an oversized payload is refused from its header alone");
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

static void test_write(void)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	json_t *json = json_pack("{s:s, s:i}", "type", "thaw", "id", 5);

	ok(!frame_write(&out, json), "a message is written");
	is_str(outcome(out.data, out.len), "message", "and can be read back");
	json_decref(json);

	char *text = malloc(PROTO_JSON_MAX + 1);

	memset(text, 'x', PROTO_JSON_MAX);
	text[PROTO_JSON_MAX] = '\0';
	json = json_pack("{s:s}", "type", text);

	struct err *e = frame_write(&out, json);

	has_str(e ? err_message(e) : NULL, "too long",
		"a message that is too long is refused before it is sent");
	err_free(e);
	json_decref(json);
	free(text);
}

int main(void)
{
	test_stream();
	test_truncated();
	test_corrupt();
	test_lengths();
	test_json();
	test_write();
	return tap_done();
}
