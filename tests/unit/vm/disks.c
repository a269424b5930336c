/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/disks.h"

#include "tests/unit/errors.h"

/* That a kernel accepts and mounts them only a guest can show (tests/system). */

/** What is in a disk that was made just now, and takes less than that on its file system. */
static void look(size_t room_bytes, struct stat *st, struct strbuf *ret)
{
	is_int(stat("disk", st), 0, "it is there");
	is_int(st->st_mode & 07777, 0600, "only its owner can read it");
	ok((size_t)st->st_blocks * 512 < room_bytes, "it takes little space");
	no_err(file_read("disk", 128 << 20, ret), "it can be read");
	is_int(ret->len, st->st_size, "to its end");
}

/** The header page of a new disk of 64 MiB; offsets are those of the kernel's union swap_header. */
static void test_swap(void)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct stat st;
	uint32_t words[3];
	size_t set = 0;

	no_err(swapdisk_create("disk", 64), "a disk of 64 MiB is made");
	look(65536, &st, &text);
	is_int(st.st_size, 64 << 20, "it has its size");
	ok(memcmp(text.data + 4096 - 10, "SWAPSPACE2", 10) == 0, "the magic ends the first page");
	memcpy(words, text.data + 1024, sizeof(words));
	is_int(words[0], 1, "version 1");
	is_int(words[1], 64 * 256 - 1, "the last page is the last page");
	is_int(words[2], 0, "no bad pages");
	for (size_t i = 4096; i < text.len; i++)
		set += text.data[i] != 0;
	is_int(set, 0, "all other pages are zero");
}

static void test_replaces(void)
{
	struct stat st;

	no_err(file_write_atomic("disk", "old", 3, 0644), "a file is in the way");
	no_err(swapdisk_create("disk", 1), "it is replaced");
	ok(stat("disk", &st) == 0 && st.st_size == 1 << 20, "by a disk of the asked size");
}

/* Fields of the superblock, which is 1 KiB into the disk, as ext4's documentation has them. */
static uint32_t field(const char *disk, size_t offset)
{
	uint32_t v;

	memcpy(&v, disk + 1024 + offset, sizeof(v));
	return v;
}

static void test_scratch(void)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct stat st;

	must(scratchdisk_create("disk", 48));
	look(1 << 20, &st, &text);
	is_int(field(text.data, 0x38) & 0xffff, 0xef53, "it has an ext4's magic");
	is_int(field(text.data, 0x18), 2, "blocks of 4 KiB");
	ok(field(text.data, 0xc) >= 48 * 256, "enough of them are free");
	is_int(field(text.data, 0x5c) & 4, 0, "there is no journal");
	is_int(field(text.data, 0x8), 0, "and nothing kept for root");
}

static void test_same_bytes(struct err *(*create)(const char *path, unsigned mib))
{
	char first[65], second[65];

	no_err(create("disk", 3), "a disk is made");
	must(file_sha256("disk", first));
	no_err(create("disk", 3), "and made again in its place");
	must(file_sha256("disk", second));
	is_str(second, first, "same size, same bytes");
}

static void test_refusals(void)
{
	static const unsigned bad[] = { 0, 16777216 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		is_err(swapdisk_create("bad", bad[i]), "is not in 1..", "a size out of range is refused");
		ok(!file_exists("bad"), "and nothing is left");
	}
	is_err(swapdisk_create("missing/disk", 1), "swap disk 'missing/disk'", "an error names the file");
	is_err(scratchdisk_create("missing/disk", 3), "scratch disk 'missing/disk'", "and the disk");
}

int main(void)
{
	test_enter_dir();
	test_swap();
	test_replaces();
	test_same_bytes(swapdisk_create);
	test_scratch();
	test_same_bytes(scratchdisk_create);
	test_refusals();
	return tap_done();
}
