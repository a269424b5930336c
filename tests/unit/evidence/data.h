/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/base/file.h"
#include "tests/tap.h"

/* A text of tests/data; empty, with a word why, when it cannot be read. */
__attribute__((unused)) static struct strbuf load(const char *kernel, const char *file)
{
	cleanup_free char *path = xasprintf("tests/data/linux-%s/%s", kernel, file);
	struct strbuf sb = STRBUF_INIT;
	struct err *e = file_read(path, 1 << 20, &sb);

	if (e)
		printf("# %s\n", err_message(e));
	err_free(e);
	return sb;
}
