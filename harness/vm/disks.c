/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/disks.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/cancel.h"
#include "harness/base/file.h"
#include "harness/base/subprocess.h"

#define PAGE_BYTES    4096u
#define PAGES_PER_MIB (1024u * 1024 / PAGE_BYTES)

/** The header counts pages in 32 bits. */
#define SIZE_MIB_MAX (UINT32_MAX / PAGES_PER_MIB)

/** First page of a swap area, format version 1, as the kernel reads it (union swap_header). */
struct swap_header {
	char boot_sector[1024];
	uint32_t version;
	uint32_t last_page;
	uint32_t bad_pages;
	uint8_t uuid[16];
	char label[16];
	char unused[PAGE_BYTES - 1024 - 12 - 32 - 10];
	char magic[10];
} __attribute__((packed));

_Static_assert(sizeof(struct swap_header) == PAGE_BYTES, "the header fills a page");

/* What an ext4 without journal takes for itself: some fixed MiB, and block maps by size. */
#define OVERHEAD_MIB       8
#define OVERHEAD_PER_MIB   32
#define MAKE_TIMEOUT_S     60
#define UUID_OF_EVERY_DISK "73776170-6361-4c20-8000-000000000001"

/** Makes a sparse file in place of what is there, which begins with these bytes. */
static struct err *make_file(const char *path, uint64_t mib, const void *head, size_t len)
{
	if (unlink(path) && errno != ENOENT)
		return err_errno(errno, "cannot replace it");

	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(errno, "cannot create it");

	struct err *e = file_write_all(fd, head, len);

	if (!e && ftruncate(fd, (off_t)mib << 20))
		e = err_errno(errno, "cannot size it");
	return e;
}

/** Ends the making of a disk: after an error, which is wrapped, nothing of it stays. */
static struct err *finish(struct err *e, const char *what, const char *path)
{
	if (e)
		unlink(path);
	return err_wrap(e, "%s disk '%s'", what, path);
}

struct err *swapdisk_create(const char *path, unsigned size_mib)
{
	struct swap_header header = {
		.version = htole32(1),
		.last_page = htole32(size_mib * PAGES_PER_MIB - 1),
		.label = "swapcal",
	};

	if (size_mib < 1 || size_mib > SIZE_MIB_MAX)
		return err_new("swap disk '%s': size %u MiB is not in 1..%u", path, size_mib, SIZE_MIB_MAX);
	memcpy(header.magic, "SWAPSPACE2", sizeof(header.magic));
	return finish(make_file(path, size_mib, &header, sizeof(header)), "swap", path);
}

/* mke2fs stands where users' PATHs often do not lead. */
static const char *find_mke2fs(void)
{
	static const char *const paths[] = { "/usr/sbin/mke2fs", "/sbin/mke2fs" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (access(paths[i], X_OK) == 0)
			return paths[i];
	return "mke2fs";
}

static struct err *make_ext4(const char *path)
{
	/*
	 * No journal, which would be kernel memory and writes of its own; nothing left to be initialised in
	 * the background; few inodes, no room kept for root.
	 */
	static const char options[] = "lazy_itable_init=0,hash_seed=" UUID_OF_EVERY_DISK;
	/* clang-format off */
	const char *const argv[] = {
		find_mke2fs(), "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-E", options, "-U", UUID_OF_EVERY_DISK,
		"-b", "4096", "-N", "64", "-m", "0", path, NULL,
	};
	/* clang-format on */
	/* Without this the superblock holds the time at which it was made. */
	const char *const env[] = { "E2FSPROGS_FAKE_TIME=1", NULL };
	struct subprocess job = {
		.argv = argv, .env = env, .timeout_s = MAKE_TIMEOUT_S, .cancelled = cancel_requested
	};

	return subprocess_run(&job);
}

struct err *scratchdisk_create(const char *path, unsigned size_mib)
{
	uint64_t mib = (uint64_t)size_mib + size_mib / OVERHEAD_PER_MIB + OVERHEAD_MIB;
	struct err *e = make_file(path, mib, NULL, 0);

	return finish(e ? e : make_ext4(path), "scratch", path);
}
