/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Readers for the kernel's text formats. They take text as (pointer, length), never trust it, match keys
 * exactly, keep keys they do not know, and call back once per item. A callback's strings are not
 * NUL-terminated: print them with "%.*s".
 *
 * All return the number of bad lines, 0 for clean text. A bad line is skipped. Bad in every format: a line
 * that is empty or has a NUL byte, a number above 2^64 - 1, and a last line without its newline, which the
 * kernel always writes: such a line was cut, and may hold the first digits of a larger number.
 *
 * A value is a number when it is decimal digits, not padded with zeros (the kernel pads only hexadecimal
 * masks), with nothing or " kB" after them. Any other value ("Name:\tpython3", "Uid:\t0\t0\t0\t0") is fine
 * and is skipped.
 */

struct text_span {
	const char *ptr;
	size_t len;
};

/** Is the span exactly this string? */
bool text_span_is(struct text_span span, const char *s);

/** Does a string begin with another one? */
bool text_starts_with(const char *text, const char *prefix);

/** Takes the part before the first c away from s, and c itself. False and unchanged when there is no c. */
bool text_take_until(struct text_span *s, char c, struct text_span *ret);

/** Takes the next whole line, without its newline; a cut last line stays. */
bool text_take_line(struct text_span *rest, struct text_span *ret);

/** Takes the next word and the blanks before it; false at the end of the line. */
bool text_take_word(struct text_span *line, struct text_span *ret);

/** Takes all leading digits of a base up to 16; false when there are none, or more than 2^64 - 1. */
bool text_take_number(struct text_span *s, unsigned base, uint64_t *ret);

/** The value of a span that is decimal digits and nothing else, at most 2^64 - 1. */
bool text_span_number(struct text_span span, uint64_t *ret);

/** One number of a text; has_kib tells that "kB" followed. */
typedef void text_number_fn(void *arg, struct text_span key, uint64_t value, bool has_kib);

/**
 * "Key:   123 kB" lines (meminfo, status, smaps_rollup) and "key 123" lines (vmstat, memory.stat), in order.
 * The key is what stands before the first colon, or in a line without one before the first space. A line
 * without colon and space, or with an empty key, is bad.
 */
size_t text_each_number(const char *text, size_t len, text_number_fn *f, void *arg);

/** The value of one key of such text, the first when there are several; false when absent. */
bool text_get_number(const char *text, size_t len, const char *key, uint64_t *ret);

/**
 * What follows "Key:" and one tab or blank, up to the end of the line, the first when there are several;
 * false when absent. As the kernel writes it: a newline in a process's name is \n.
 */
bool text_get_string(const char *text, size_t len, const char *key, struct text_span *ret);

/** One mapping of /proc/PID/smaps. */
struct text_mapping {
	uint64_t start, end; /**< addresses, start < end */
	struct text_span perms;
	uint64_t offset;
	struct text_span dev; /**< "fe:01", hexadecimal */
	uint64_t dev_major, dev_minor;
	uint64_t inode;
	struct text_span path; /**< "" if none; newlines are \012, " (deleted)" may follow */
};

typedef void text_mapping_fn(void *arg, const struct text_mapping *m);

/** A field of smaps that is no number: "VmFlags: rd mr mw me ", without the blanks around the value. */
typedef void text_string_fn(void *arg, struct text_span key, struct text_span value);

/**
 * /proc/PID/smaps, in order: calls `mapping` for each header line, then `field` for each number below it
 * ("Rss: 4 kB", "THPeligible: 1"), and `string` for each line whose value is no number; mapping and string
 * may be NULL. A line is bad when it is no header and its key is not made of letters, digits and underscores.
 * It may be a damaged header: the fields that follow it, and fields before the first header, belong to no
 * mapping and are bad too.
 */
size_t text_each_smaps(const char *text, size_t len, text_mapping_fn *mapping, text_number_fn *field,
		       text_string_fn *string, void *arg);
