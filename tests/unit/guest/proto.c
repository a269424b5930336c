/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Frames between host and agent: what is written is read again, and nothing else is. */

#include "guest/proto.h"
#include "tests/tap.h"

#define JSON    "{\"type\":\"reply\",\"id\":1}"
#define PAYLOAD "some text of the kernel\n"

/* Lengths with the 0 byte left out. */
#define JSON_LEN    (sizeof(JSON) - 1)
#define PAYLOAD_LEN (sizeof(PAYLOAD) - 1)
#define FRAME_LEN   (PROTO_FRAME_BYTES + JSON_LEN + PAYLOAD_LEN)

static uint8_t frame[FRAME_LEN];

/* As it was before a test changed it. */
static void make_frame(void)
{
	memcpy(frame + PROTO_FRAME_BYTES, JSON, JSON_LEN);
	memcpy(frame + PROTO_FRAME_BYTES + JSON_LEN, PAYLOAD, PAYLOAD_LEN);
	proto_encode(frame, JSON, JSON_LEN, PAYLOAD, PAYLOAD_LEN);
}

/* Would a reader of these len bytes take them as one whole frame? */
static bool is_accepted(size_t len)
{
	struct proto_frame f;

	if (len < PROTO_FRAME_BYTES || proto_decode(frame, &f))
		return false;
	if (len != PROTO_FRAME_BYTES + (size_t)f.json_len + f.payload_len)
		return false;
	return proto_crc_matches(&f, frame + PROTO_FRAME_BYTES, frame + PROTO_FRAME_BYTES + f.json_len);
}

/* Why the header with these lengths is refused; NULL when it is not. */
static const char *refusal(uint32_t json_len, uint32_t payload_len)
{
	uint8_t head[PROTO_FRAME_BYTES];
	struct proto_frame f = { 0 };

	proto_put32(head, PROTO_MAGIC);
	proto_put32(head + 4, json_len);
	proto_put32(head + 8, payload_len);
	proto_put32(head + 12, 0);
	return proto_decode(head, &f);
}

static void test_crc(void)
{
	uint32_t part = proto_crc32(0, "1234", 4);

	is_int(proto_crc32(0, "123456789", 9), 0xcbf43926, "CRC-32 of the check string");
	is_int(proto_crc32(part, "56789", 5), 0xcbf43926, "CRC-32 goes on over pieces");
	is_int(proto_crc32(0, "", 0), 0, "CRC-32 of nothing");
	is_int(proto_crc32(0, "\0\0\0\0", 4), 0x2144df1c, "CRC-32 of four zero bytes");
}

static void test_round_trip(void)
{
	struct proto_frame f = { 0 };

	make_frame();
	ok(!proto_decode(frame, &f), "a frame is read");
	is_int(f.json_len, JSON_LEN, "length of the JSON");
	is_int(f.payload_len, PAYLOAD_LEN, "length of the payload");
	ok(is_accepted(sizeof(frame)), "its content agrees with the checksum");
	ok(memcmp(frame, "SWC1", 4) == 0, "a frame begins with SWC1");
}

static void test_limits(void)
{
	ok(!refusal(2, 0), "the shortest object without payload");
	ok(!refusal(PROTO_JSON_MAX, PROTO_PAYLOAD_MAX), "the longest frame");
	is_str(refusal(0, 0), "bad header length", "no JSON");
	is_str(refusal(1, 0), "bad header length", "JSON too short for an object");
	is_str(refusal(PROTO_JSON_MAX + 1, 0), "bad header length", "JSON too long");
	is_str(refusal(UINT32_MAX, 0), "bad header length", "JSON length of all ones");
	is_str(refusal(2, PROTO_PAYLOAD_MAX + 1), "bad payload length", "payload too long");
	is_str(refusal(2, UINT32_MAX), "bad payload length", "payload length of all ones");
}

static void test_failure_leaves_result(void)
{
	struct proto_frame f = { 7, 8, 9 };

	make_frame();
	frame[0] ^= 1;
	is_str(proto_decode(frame, &f), "bad magic", "another magic");
	ok(f.json_len == 7 && f.payload_len == 8 && f.crc == 9, "a refused header leaves the result alone");
}

/* A CRC-32 finds every burst within 32 bits; single ones are shown of a channel. */
static void test_corrupt(void)
{
	int accepted = 0;

	make_frame();
	for (size_t i = 0; i < sizeof(frame); i++) {
		frame[i] ^= 0xff;
		accepted += is_accepted(sizeof(frame));
		frame[i] ^= 0xff;
	}
	is_int(accepted, 0, "no frame with one inverted byte is accepted");
	ok(is_accepted(sizeof(frame)), "the frame as it was is accepted");
}

/* Moving the border between JSON and payload keeps the bytes: that is why the checksum covers the lengths. */
static void test_moved_border(void)
{
	make_frame();
	proto_put32(frame + 4, JSON_LEN + 1);
	proto_put32(frame + 8, PAYLOAD_LEN - 1);
	ok(!is_accepted(sizeof(frame)), "a moved border between JSON and payload is found");
}

static void test_noise(void)
{
	uint8_t good[FRAME_LEN];
	int accepted = 0;

	make_frame();
	memcpy(good, frame, sizeof(good));
	srandom(20240229);
	for (int i = 0; i < 100000; i++) {
		memcpy(frame, good, sizeof(frame));
		for (int n = 1 + (int)(random() % 8); n > 0; n--)
			frame[(size_t)random() % sizeof(frame)] ^= (uint8_t)(1 + random() % 255);
		accepted += memcmp(frame, good, sizeof(good)) != 0 && is_accepted(sizeof(frame));
	}
	is_int(accepted, 0, "no frame with noise is accepted");
}

static void test_sample(void)
{
	size_t names = 1;

	for (const char *p = PROTO_SAMPLE_NAMES; *p; p++)
		names += *p == ',';
	is_int(names * 8, sizeof(struct proto_sample), "a name for each member of a sample, without padding");
	ok(strncmp(PROTO_SAMPLE_NAMES, "t_us,load_pages,", 16) == 0, "names come in order");
}

TAP_MAIN(test_crc, test_round_trip, test_limits, test_failure_leaves_result, test_corrupt, test_moved_border,
	 test_noise, test_sample)
