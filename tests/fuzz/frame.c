/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What comes over the line from a guest: bytes become messages, and a probe takes each of them in among those
 * of a simulated agent. Member "at" of a message, which no real one has, says before which of the agent's it
 * comes.
 */
#include <string.h>

#include "harness/vm/channel.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sim/guest-sim.h"
#include "tests/sim/spec.h"

/* So that one input costs about as much as the life of its guest. */
#define MESSAGES_MAX 64

/* What the guest at hand says besides; one lives at a time. */
static struct {
	struct guest_msg *messages[MESSAGES_MAX];
	size_t n, next;
	json_int_t calls;
} forged;

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* Gives a frame the checksum of its parts, when it has all of them; its length, 0 when it has not. */
static size_t mend_frame(uint8_t *data, size_t size)
{
	struct proto_frame f;

	if (size < PROTO_FRAME_BYTES || proto_decode(data, &f))
		return 0;

	size_t len = (size_t)PROTO_FRAME_BYTES + f.json_len + f.payload_len;
	uint8_t *json = data + PROTO_FRAME_BYTES;

	if (size < len)
		return 0;
	proto_encode(data, json, f.json_len, json + f.json_len, f.payload_len);
	return len;
}

/* The length of the frame that begins like this one, with its JSON ending at the first "}". */
static size_t close_frame(uint8_t *data, size_t size)
{
	const uint8_t *json = data + PROTO_FRAME_BYTES;
	const uint8_t *end = size > PROTO_FRAME_BYTES ? memchr(json, '}', size - PROTO_FRAME_BYTES) : NULL;

	if (!end)
		return 0;
	proto_put32(data, PROTO_MAGIC);
	proto_put32(data + 4, (uint32_t)(end + 1 - json));
	return mend_frame(data, size);
}

/* Puts another number of as many digits in the place of one. */
static void change_number(uint8_t *data, size_t size, unsigned seed)
{
	size_t at = size ? seed / 16 % size : 0;

	for (size_t i = 0; i < size; i++, at = (at + 1) % size)
		if (data[at] >= '0' && data[at] <= '9') {
			data[at] = (uint8_t)('0' + seed / 7 % 10);
			return;
		}
}

/*
 * Almost no change by chance leaves a checksum right, or a length after the JSON grew: of nine changes in ten
 * the frames are made whole again.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	if (seed % 3)
		size = LLVMFuzzerMutate(data, size, max_size);
	else
		change_number(data, size, seed);
	if (seed % 10 == 0)
		return size;
	for (size_t at = 0, len; at < size; at += len) {
		len = mend_frame(data + at, size - at);
		if (!len || seed % 2)
			len = close_frame(data + at, size - at);
		if (!len)
			break;
	}
	return size;
}

/* Reads the messages of a line whose bytes come in parts of that size. */
static void read_line(const uint8_t *data, size_t size, size_t part)
{
	cleanup(channel_deinit) struct channel line = CHANNEL_INIT;
	struct err *e = NULL;

	for (size_t at = 0; !e && at < size; at += part) {
		struct guest_msg *m = NULL;

		channel_feed(&line, data + at, size - at < part ? size - at : part);
		for (;;) {
			e = channel_next(&line, &m);
			if (e || !m)
				break;
			if (forged.n < MESSAGES_MAX)
				forged.messages[forged.n++] = m;
			else
				guest_msg_destroy(m);
		}
	}
	err_free(e);
}

static struct err *forged_recv(struct guest *g, int timeout_ms, struct guest_msg **ret)
{
	if (forged.next < forged.n) {
		struct guest_msg *m = forged.messages[forged.next];

		if (json_integer_value(json_object_get(m->json, "at")) <= forged.calls) {
			forged.next++;
			*ret = m;
			return NULL;
		}
	}
	forged.calls++;
	return guest_sim_ops.recv(g, timeout_ms, ret);
}

static void check_text(const char *s)
{
	must_hold(s && strlen(s) <= 500);
	for (; *s; s++)
		must_hold(*s >= ' ' && *s <= '~');
}

static void live(enum probe_kind kind)
{
	struct guest_sim_params params = GUEST_SIM_PARAMS_INIT;
	struct guest_ops ops = guest_sim_ops;
	struct probe_spec spec = make_spec(kind, kind == PROBE_FIXED ? 100 : kind == PROBE_GROWTH ? 0 : 512);
	cleanup(probe_record_deinit) struct probe_record r = { 0 };

	ops.recv = forged_recv;

	struct err *e = probe_run(&ops, &params, &spec, NULL, &r);

	must_hold(!e);
	check_text(r.reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum probe_kind kinds[] = { PROBE_RAMP, PROBE_FIXED, PROBE_GROWTH, PROBE_DISPLACEMENT };

	forged.n = forged.next = 0;
	forged.calls = 0;
	/* A socket gives bytes as it likes: here as the size happens to be. */
	read_line(data, size, 1 + size % 4096);
	live(kinds[size % 4]);
	while (forged.next < forged.n)
		guest_msg_destroy(forged.messages[forged.next++]);
	return 0;
}
