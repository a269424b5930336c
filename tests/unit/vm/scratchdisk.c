/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/scratchdisk.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "tests/tap.h"

/* That a kernel mounts the disk only a guest can show (tests/system). */

/* Fields of the superblock, which is 1 KiB into the disk, as ext4's documentation has them. */
static uint32_t field(const char *disk, size_t offset)
{
	uint32_t v;

	memcpy(&v, disk + 1024 + offset, sizeof(v));
	return v;
}

static void test_disk(const char *path)
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

static void test_same_bytes(const char *path)
{
	char first[65] = "", second[65] = "1";
	struct err *e = scratchdisk_create(path, 3);

	ok(!e && !file_sha256(path, first), "a disk is made");
	e = scratchdisk_create(path, 3);
	ok(!e && !file_sha256(path, second), "and made again in its place");
	is_str(second, first, "with the same bytes");
}

static void test_error(void)
{
	struct err *e = scratchdisk_create("/nonexistent/disk", 3);

	has_str(e ? err_message(e) : NULL, "scratch disk '/nonexistent/disk'", "an error names the disk");
	err_free(e);
}

int main(void)
{
	char path[] = "/tmp/swapcal-scratch-XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	test_disk(path);
	test_same_bytes(path);
	test_error();
	unlink(path);
	return tap_done();
}
