/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The lines that a load writes to its checkpoint fd, taken out of what a pipe gives in pieces of any length.
 * The agent in the guest and `swapcal measure` read them, and both must take the same for a checkpoint.
 */

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/** Bytes of the longest line, without its newline. */
#define CHECKPOINT_LINE_MAX 200

/** All zero at first. */
struct checkpoint_reader {
	size_t start, end; /**< in bytes: what was read and not yet taken */
	bool is_skipping;  /**< the rest of a line that was too long */
	char bytes[CHECKPOINT_LINE_MAX + 1];
};

/** Points into its reader, until the next read from the pipe. */
struct checkpoint_line {
	const char *text; /**< what came after "checkpoint "; of a bad line, all of it or its start */
	size_t len;
	bool is_bad; /**< the line does not start so, says nothing more, or was too long */
};

/** Reads on while there is room; as read(), and 1 without room: then lines are to be taken first. */
static inline ssize_t checkpoint_read(struct checkpoint_reader *r, int fd)
{
	r->end -= r->start;
	memmove(r->bytes, r->bytes + r->start, r->end);
	r->start = 0;
	if (r->end == sizeof(r->bytes))
		return 1;

	ssize_t n = read(fd, r->bytes + r->end, sizeof(r->bytes) - r->end);

	if (n > 0)
		r->end += (size_t)n;
	return n;
}

/** Is there a line to be taken, or a part of one that is too long? */
static inline bool checkpoint_has_line(const struct checkpoint_reader *r)
{
	size_t len = r->end - r->start;

	return len == sizeof(r->bytes) || memchr(r->bytes + r->start, '\n', len);
}

/** Takes the next line; false when there is none yet. */
static inline bool checkpoint_take(struct checkpoint_reader *r, struct checkpoint_line *ret)
{
	static const char prefix[] = "checkpoint ";
	const size_t prefix_len = sizeof(prefix) - 1;

	while (checkpoint_has_line(r)) {
		const char *text = r->bytes + r->start, *newline = memchr(text, '\n', r->end - r->start);
		size_t len = newline ? (size_t)(newline - text) : CHECKPOINT_LINE_MAX;
		bool is_good = newline && len > prefix_len && memcmp(text, prefix, prefix_len) == 0;
		size_t skip = is_good ? prefix_len : 0;
		bool is_rest = r->is_skipping;

		r->start = newline ? r->start + len + 1 : r->end;
		r->is_skipping = !newline;
		if (is_rest)
			continue;
		*ret = (struct checkpoint_line){ text + skip, len - skip, !is_good };
		return true;
	}
	return false;
}
