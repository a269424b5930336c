/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/vm/swapdisk.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/cleanup.h"
#include "harness/base/file.h"

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

struct err *swapdisk_create(const char *path, unsigned size_mib)
{
	if (size_mib < 1 || size_mib > SIZE_MIB_MAX)
		return err_new("swap disk '%s': size %u MiB is not in 1..%u", path, size_mib, SIZE_MIB_MAX);

	struct swap_header header = {
		.version = htole32(1),
		.last_page = htole32(size_mib * PAGES_PER_MIB - 1),
		.label = "swapcal",
	};

	memcpy(header.magic, "SWAPSPACE2", sizeof(header.magic));
	if (unlink(path) && errno != ENOENT)
		return err_errno(errno, "cannot replace swap disk '%s'", path);

	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(errno, "cannot create swap disk '%s'", path);

	struct err *e = file_write_all(fd, &header, sizeof(header));

	if (!e && ftruncate(fd, (off_t)size_mib * 1024 * 1024))
		e = err_errno(errno, "cannot size it");
	if (e)
		unlink(path);
	return err_wrap(e, "swap disk '%s'", path);
}
