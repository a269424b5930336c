/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "harness/base/err.h"
#include "tests/tap.h"

/** For what prepares a test: a failure of that ends it. */
__attribute__((unused)) static void must(struct err *e)
{
	if (!e)
		return;
	printf("Bail out! %s\n", err_message(e));
	exit(1);
}

/** A call that has to go well. */
#define no_err(call, what)                                                                                   \
	({                                                                                                   \
		struct err *err_ = (call);                                                                   \
		bool is_good_ = ok(!err_, what);                                                             \
		if (err_)                                                                                    \
			printf("# %s\n", err_message(err_));                                                 \
		err_free(err_);                                                                              \
		is_good_;                                                                                    \
	})

/** A call that has to fail with words that contain part. */
#define is_err(call, part, what)                                                                             \
	({                                                                                                   \
		struct err *err_ = (call);                                                                   \
		bool is_bad_ = has_str(err_ ? err_message(err_) : NULL, part, what);                         \
		err_free(err_);                                                                              \
		is_bad_;                                                                                     \
	})
