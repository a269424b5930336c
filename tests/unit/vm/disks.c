/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/disks.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/file.h"
#include "tests/tap.h"

/* That a kernel accepts and mounts them only a guest can show (tests/system). */

/** The header page of a new disk of 64 MiB; offsets are those of the kernel's union swap_header. */
static void test_swap(const char *path)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct err *e = swapdisk_create(path, 64);
	struct stat st;
	uint32_t words[3];

	ok(!e, "a disk of 64 MiB is made");
	is_int(stat(path, &st), 0, "it is there");
	is_int(st.st_size, 64 << 20, "it has its size");
	is_int(st.st_mode & 07777, 0600, "only its owner can read it");
	ok(st.st_blocks * 512 < 65536, "it takes no space to speak of");

	e = file_read(path, 128 << 20, &text);
	ok(!e && text.len == (size_t)st.st_size, "it can be read");
	ok(memcmp(text.data + 4096 - 10, "SWAPSPACE2", 10) == 0, "the magic ends the first page");
	memcpy(words, text.data + 1024, sizeof(words));
	is_int(words[0], 1, "version 1");
	is_int(words[1], 64 * 256 - 1, "the last page is the last page");
	is_int(words[2], 0, "no bad pages");

	size_t set = 0;

	for (size_t i = 4096; i < text.len; i++)
		set += text.data[i] != 0;
	is_int(set, 0, "all other pages are zero");
}

static void test_replaces(const char *path)
{
	struct stat st;
	struct err *e = file_write_atomic(path, "old", 3, 0644);

	ok(!e, "a file is in the way");
	e = swapdisk_create(path, 1);
	ok(!e, "it is replaced");
	ok(stat(path, &st) == 0 && st.st_size == 1 << 20, "by a disk of the asked size");
}

/* Fields of the superblock, which is 1 KiB into the disk, as ext4's documentation has them. */
static uint32_t field(const char *disk, size_t offset)
{
	uint32_t v;

	memcpy(&v, disk + 1024 + offset, sizeof(v));
	return v;
}

static void test_scratch(const char *path)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct err *e = scratchdisk_create(path, 48);
	struct stat st;

	if (!ok(!e, "a disk with room for 48 MiB is made")) {
		printf("# %s\n", err_message(e));
		err_free(e);
		return;
	}
	is_int(stat(path, &st), 0, "it is there");
	is_int(st.st_mode & 07777, 0600, "only its owner can read it");
	ok(st.st_blocks * 512 < 1 << 20, "it takes little space");
	e = file_read(path, 128 << 20, &text);
	ok(!e && text.len == (size_t)st.st_size, "it can be read");
	is_int(field(text.data, 0x38) & 0xffff, 0xef53, "it has an ext4's magic");
	is_int(field(text.data, 0x18), 2, "blocks of 4 KiB");
	ok(field(text.data, 0xc) >= 48 * 256, "enough of them are free");
	is_int(field(text.data, 0x5c) & 4, 0, "there is no journal");
	is_int(field(text.data, 0x8), 0, "and nothing kept for root");
}

static void test_same_bytes(struct err *(*create)(const char *path, unsigned mib), const char *path)
{
	char first[65] = "", second[65] = "1";
	struct err *e = create(path, 3);

	ok(!e && !file_sha256(path, first), "a disk is made");
	e = create(path, 3);
	ok(!e && !file_sha256(path, second), "and made again in its place");
	is_str(second, first, "same size, same bytes");
}

static void test_refusals(const char *dir)
{
	static const unsigned bad[] = { 0, 16777216 };
	char path[200];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(path, sizeof(path), "%s/bad", dir);

		struct err *e = swapdisk_create(path, bad[i]);

		has_str(e ? err_message(e) : "", "is not in 1..", "a size out of range is refused");
		ok(!file_exists(path), "and nothing is left");
		err_free(e);
	}
	snprintf(path, sizeof(path), "%s/missing/disk", dir);

	struct err *e = swapdisk_create(path, 1);

	has_str(e ? err_message(e) : "", path, "an error names the file");
	err_free(e);
	e = scratchdisk_create(path, 3);
	has_str(e ? err_message(e) : "", "scratch disk '/tmp/", "and the disk");
	has_str(e ? err_message(e) : "", path, "by its name");
	err_free(e);
}

int main(void)
{
	char dir[] = "/tmp/disks-XXXXXX", path[64];

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/disk", dir);
	test_swap(path);
	test_replaces(path);
	test_same_bytes(swapdisk_create, path);
	test_scratch(path);
	test_same_bytes(scratchdisk_create, path);
	test_refusals(dir);
	err_free(file_remove_tree(dir));
	return tap_done();
}
