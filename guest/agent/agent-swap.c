/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest/agent/agent-swap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "guest/agent/agent.h"

/*
 * mkswap for devices that the guest itself makes. The kernel's union swap_header, format version 1: after
 * 1024 bytes for a boot sector the version, the last page, the number of bad pages, all little-endian, and
 * at the end of the page the magic.
 */
#define INFO_AT 1024
static const char magic[] = "SWAPSPACE2";
#define MAGIC_BYTES (sizeof(magic) - 1)

void swap_header(uint8_t page[SWAP_HEADER_BYTES], uint32_t pages)
{
	memset(page, 0, SWAP_HEADER_BYTES);
	proto_put32(page + INFO_AT, 1);
	proto_put32(page + INFO_AT + 4, pages - 1);
	memcpy(page + SWAP_HEADER_BYTES - MAGIC_BYTES, magic, MAGIC_BYTES);
}

const char *swap_make(const char *path, uint64_t kib)
{
	uint64_t pages = kib / 4;

	/* The header counts in 32 bits; its own page is one of them. */
	if (pages < 2 || pages > UINT32_MAX)
		return fail("a swap area cannot have %llu KiB", (unsigned long long)kib);

	uint8_t *page = (uint8_t *)msg_payload();
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return fail("cannot open '%s': %s", path, strerror(errno));
	swap_header(page, (uint32_t)pages);

	ssize_t n = write(fd, page, SWAP_HEADER_BYTES);
	int error = n < 0 ? errno : EIO;

	if (close(fd) < 0 && n == SWAP_HEADER_BYTES) {
		error = errno;
		n = -1;
	}
	return n == SWAP_HEADER_BYTES ? NULL : fail("cannot write '%s': %s", path, strerror(error));
}
