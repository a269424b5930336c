/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "harness/store/blob.h"
#include "tests/unit/errors.h"

static void check_round_trip(const char *data, size_t len, const char *what)
{
	cleanup_strbuf struct strbuf blob = STRBUF_INIT;
	cleanup(cleanup_blob_reader_) struct blob_reader *r = blob_reader_create();
	const char *back = NULL;
	size_t n = 0;
	struct err *e = blob_compress(data, len, &blob);

	if (!e)
		e = blob_reader_read(r, blob.data, blob.len, len, &back, &n);
	ok(!e && n == len && memcmp(back, data, len) == 0, what);
	err_free(e);
}

/* Expects an error that contains part, and nothing given. */
static void check_refused(const void *data, size_t len, size_t max, const char *part, const char *what)
{
	cleanup(cleanup_blob_reader_) struct blob_reader *r = blob_reader_create();
	const char *back = NULL;
	size_t n = 0;

	is_err(blob_reader_read(r, data, len, max, &back, &n), part, what);
	ok(!back && n == 0, "and nothing comes out");
}

int main(void)
{
	cleanup_free char *big = xmalloc(1 << 20);
	cleanup_strbuf struct strbuf blob = STRBUF_INIT;

	for (size_t i = 0; i < 1 << 20; i++)
		big[i] = (char)(i * i >> 7);
	check_round_trip("", 0, "nothing survives the round trip");
	check_round_trip("a\0b", 3, "NUL bytes survive the round trip");
	check_round_trip(big, 1 << 20, "a mebibyte survives the round trip");

	memset(big, 'x', 1 << 20);
	err_free(blob_compress(big, 1 << 20, &blob));
	ok(blob.len > 0 && blob.len < 4096, "a mebibyte of one letter becomes small");
	check_refused(blob.data, blob.len, (1 << 20) - 1, "more than 1048575",
		      "content beyond the bound is refused");
	check_refused(blob.data, blob.len - 1, 1 << 20, "cut short",
		      "a frame without its last byte is refused");

	cleanup_free char *bad = xmemdup0(blob.data, blob.len);

	bad[blob.len - 1] ^= 1;
	check_refused(bad, blob.len, 1 << 20, "damaged data", "a wrong checksum is refused");
	/* xmemdup0() leaves a NUL behind the frame: one byte too many. */
	bad[blob.len - 1] ^= 1;
	check_refused(bad, blob.len + 1, 1 << 20, "after its end", "bytes after the frame are refused");
	check_refused("hello, world, this is no frame", 30, 1 << 20, "no zstd frame", "text is refused");
	check_refused(NULL, 0, 1 << 20, "no zstd frame", "an empty blob is refused");

	/* A frame header that claims 2^60 bytes, and nothing behind it: must not be believed with memory. */
	static const unsigned char bomb[] = {
		0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x10, 1, 0, 0
	};

	check_refused(bomb, sizeof(bomb), 1 << 20, "more than", "a claim of an exbibyte is refused");
	return tap_done();
}
