/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

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
