/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness/base/err.h"

/*
 * A fuzz target is one file here: libFuzzer calls the function below again and again with bytes that it
 * changes so that they reach more of the program. The sanitizers see what goes wrong with memory; what else
 * must hold is said with must_hold().
 */

/** One input. Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Ends the program, with the input kept, when cond is false. */
#define must_hold(cond)                                                                                      \
	do {                                                                                                 \
		if (!(cond))                                                                                 \
			abort();                                                                             \
	} while (0)

/** The name of a file in memory with that content, until the next call. */
static inline const char *fuzz_file(const void *data, size_t size)
{
	static char path[32];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("input", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size) {
		perror("memfd");
		exit(1);
	}
	return path;
}

/** Was it read? What anybody may have written is at fault when not. e is taken over. */
static inline int is_read(struct err *e)
{
	must_hold(!e || err_get_kind(e) == ERR_USAGE);
	err_free(e);
	return !e;
}

/** Lines of a text, of which the last may have no end. */
static inline size_t count_lines(const char *text, size_t len)
{
	size_t n = len > 0 && text[len - 1] != '\n';

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n;
}
