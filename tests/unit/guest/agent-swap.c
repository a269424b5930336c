/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The swap header that the agent writes is the one of swap disks. That a kernel takes it only a guest can
 * show (tests/system). */

/* Both sides have a function of this name. */
#define file_read guest_file_read
#include "guest/agent/agent-swap.c"
#undef file_read
#include "harness/vm/disks.h"
#include "tests/unit/errors.h"

/* Of the agent's other parts. */

static char payload[PROTO_PAYLOAD_MAX];

char *msg_payload(void)
{
	return payload;
}

const char *fail(const char *format, ...)
{
	return format;
}

static void test_header(void)
{
	uint8_t page[SWAP_HEADER_BYTES];
	uint32_t words[3];
	size_t set = 0;

	memset(page, 0xff, sizeof(page));
	swap_header(page, 512 * 256);
	memcpy(words, page + 1024, sizeof(words));
	is_int(words[0], 1, "version 1");
	is_int(words[1], 512 * 256 - 1, "the last page is the last page");
	is_int(words[2], 0, "no bad pages");
	ok(memcmp(page + 4096 - 10, "SWAPSPACE2", 10) == 0, "the magic ends the page");
	for (size_t i = 0; i < sizeof(page); i++)
		set += page[i] != 0;
	is_int(set, 1 + 3 + 10, "all else is zero");
}

static void test_make(void)
{
	static const char path[] = "disk";
	cleanup_strbuf struct strbuf disk = STRBUF_INIT, area = STRBUF_INIT;

	test_enter_dir();
	must(swapdisk_create(path, 64));
	must(file_read(path, 128 << 20, &disk));
	ok(truncate(path, 0) == 0 && truncate(path, 64 << 20) == 0, "a device of a swap disk's size");
	ok(!swap_make(path, 64 * 1024), "gets a header");
	must(file_read(path, 128 << 20, &area));
	memset(disk.data + 1024 + 28, 0, 16); /* the label, for people */
	ok(area.len == disk.len && memcmp(area.data, disk.data, area.len) == 0,
	   "it is the swap disk byte for byte, but for the label");
	ok(swap_make(path, 4), "an area of one page has no room but for the header");
	ok(swap_make(path, 1ull << 40), "one that cannot be counted is refused");
	ok(swap_make("/nonexistent/zram0", 1024), "so is a device that is not there");
}

TAP_MAIN(test_header, test_make)
