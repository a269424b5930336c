/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/frame.h"

#include <stdlib.h>
#include <string.h>

#include "guest/proto.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"

void guest_msg_destroy(struct guest_msg *m)
{
	if (!m)
		return;
	json_decref(m->json);
	free(m->payload);
	free(m);
}

void frame_reader_deinit(struct frame_reader *r)
{
	strbuf_deinit(&r->bytes);
	r->start = 0;
}

void frame_feed(struct frame_reader *r, const void *data, size_t len)
{
	/* Frames already handed out are dropped here, once per read, rather than once per frame. */
	if (r->start) {
		r->bytes.len -= r->start;
		memmove(r->bytes.data, r->bytes.data + r->start, r->bytes.len);
		r->start = 0;
	}
	strbuf_add(&r->bytes, data, len);
}

struct err *frame_next(struct frame_reader *r, struct guest_msg **ret)
{
	size_t len = r->bytes.len - r->start;
	struct proto_frame f;

	*ret = NULL;
	if (len < PROTO_FRAME_BYTES)
		return NULL;

	const uint8_t *head = (const uint8_t *)r->bytes.data + r->start;
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
	r->start += frame_len;
	*ret = m;
	return NULL;
}

struct err *frame_write(struct strbuf *out, json_t *json)
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
