/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * What stands in memory that must neither be merged with other pages nor compressed: no page is like another.
 */

#define PAGE_BYTES 4096
#define PAGE_KIB   (PAGE_BYTES / 1024)
#define PAGE_WORDS (PAGE_BYTES / sizeof(uint64_t))

/** The splitmix64 generator's finish: every page gets a start of its own, never 0. */
static inline uint64_t fill_start(uint64_t seed, uint64_t index)
{
	uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	z ^= z >> 31;
	return z ? z : 1;
}

/** xorshift64: enough to be incompressible, and never 0 when it does not start there. */
static inline uint64_t fill_next(uint64_t x)
{
	x ^= x << 13;
	x ^= x >> 7;
	return x ^ x << 17;
}
