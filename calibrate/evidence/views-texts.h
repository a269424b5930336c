/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** Texts that live together, each once. All zero is an empty pool. */
struct texts {
	struct texts_slot *slots; /**< open addressing, a power of two of them */
	size_t n, slots_n;
	struct texts_block *blocks;
	char *next; /**< in the newest block */
	size_t left;
};

void texts_deinit(struct texts *t);

/** The text, NUL-terminated; the same address for the same text. */
const char *texts_intern(struct texts *t, const char *text, size_t len);

/** The same, NULL when it is not there. */
const char *texts_find(const struct texts *t, const char *text, size_t len);
