/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "tests/unit/errors.h"

/* A text of tests/data; empty, with a word why, when it cannot be read. */
__attribute__((unused)) static struct strbuf load(const char *kernel, const char *file)
{
	struct strbuf sb = STRBUF_INIT;
	struct err *e = file_read(test_format("tests/data/linux-%s/%s", kernel, file), 1 << 20, &sb);

	if (e)
		printf("# %s\n", err_message(e));
	err_free(e);
	return sb;
}
