/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_CALIBRATE_TEXT_H
#define SWAPCAL_CALIBRATE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Readers for the kernel's text formats. They take text as (pointer, length), never trust it, match keys exactly, keep keys
 * they do not know, and call back once per item. A callback's strings are not NUL-terminated: print them with "%.*s".
 * All return the number of lines that did not fit the format (0 for clean text); such lines are skipped.
 */

struct text_span {
	const char *ptr;
	size_t len;
};

/** Is the span exactly this string? */
bool text_span_is(struct text_span span, const char *s);

/**
 * "Key:   123 kB" lines (meminfo, status, smaps_rollup) and "key 123" lines (vmstat, memory.stat). value is the
 * number as written; has_kib tells that "kB" followed. Lines whose value is no number ("Name:\tpython3") are skipped
 * without counting as bad.
 */
size_t text_each_number(const char *text, size_t len,
			void (*f)(void *arg, struct text_span key, uint64_t value, bool has_kib), void *arg);

/** The value of one key of such text; false when absent. */
bool text_get_number(const char *text, size_t len, const char *key, uint64_t *ret);

/** One mapping of /proc/PID/smaps. */
struct text_mapping {
	uint64_t start, end; /**< addresses */
	struct text_span perms;
	uint64_t offset;
	uint64_t dev_major, dev_minor;
	uint64_t inode;
	struct text_span path; /**< as written by the kernel: newlines are \012, may end in " (deleted)"; "" when anonymous */
};

/**
 * /proc/PID/smaps: calls `mapping` for each header line, then `field` for each "Key: N kB" below it (and for numbers without kB, such
 * as THPeligible), and not for VmFlags. Fields before the first header count as bad lines.
 */
size_t text_each_smaps(const char *text, size_t len, void (*mapping)(void *arg, const struct text_mapping *m),
		       void (*field)(void *arg, struct text_span key, uint64_t value, bool has_kib), void *arg);

#endif
