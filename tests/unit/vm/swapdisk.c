/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/swapdisk.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "tests/tap.h"

/* That a kernel accepts the disk only a guest can show (tests/system). */

/** The header page of a new disk of 64 MiB; offsets are those of the kernel's union swap_header. */
static void test_header(const char *path)
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

static void test_same_bytes(const char *path)
{
	char first[65], second[65];
	struct err *e = swapdisk_create(path, 3);

	ok(!e && !file_sha256(path, first), "a disk is made");
	e = swapdisk_create(path, 3);
	ok(!e && !file_sha256(path, second), "and once more");
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
}

int main(void)
{
	char dir[] = "/tmp/swapdisk-XXXXXX", path[64];

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/disk", dir);
	test_header(path);
	test_replaces(path);
	test_same_bytes(path);
	test_refusals(dir);
	err_free(file_remove_tree(dir));
	return tap_done();
}
