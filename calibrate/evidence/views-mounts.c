/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "calibrate/evidence/views-internal.h"
#include "harness/base/alloc.h"

/*
 * Which devices are file systems in memory. A line of mountinfo:
 *
 *     25 24 0:23 / /dev/shm rw,relatime shared:3 - tmpfs tmpfs rw,size=24684084k
 *
 * Blanks within a word are escaped. Device numbers are decimal here and hexadecimal in smaps.
 */
struct mounts {
	uint64_t *devices;
	size_t n, cap;
	bool is_sorted;
};

struct mounts *mounts_create(void)
{
	return xcalloc(1, sizeof(struct mounts));
}

void mounts_destroy(struct mounts *m)
{
	free(m->devices);
	free(m);
}

void mounts_clear(struct mounts *m)
{
	m->n = 0;
}

static bool take_word(struct text_span *line, struct text_span *ret)
{
	const char *p = line->ptr, *end = p + line->len;

	while (p < end && *p == ' ')
		p++;
	ret->ptr = p;
	while (p < end && *p != ' ')
		p++;
	ret->len = (size_t)(p - ret->ptr);
	line->len = (size_t)(end - p);
	line->ptr = p;
	return ret->len > 0;
}

/* "MAJOR:MINOR" of exactly this base; both have at most 32 bits in any kernel. */
static bool parse_device(struct text_span s, unsigned base, uint64_t *ret)
{
	uint64_t part[2] = { 0, 0 };
	unsigned at = 0, digits = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
			     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
						    : 16;

		if (c == ':' && at == 0 && digits) {
			at = 1;
			digits = 0;
			continue;
		}
		if (d >= base || ++digits > 9)
			return false;
		part[at] = part[at] * base + d;
	}
	*ret = part[0] << 32 | part[1];
	return at == 1 && digits > 0;
}

/* A first root file system is a tmpfs when it has a size, else a ramfs, which never swaps. */
static bool is_memory(struct text_span type, struct text_span options)
{
	if (text_span_is(type, "tmpfs") || text_span_is(type, "devtmpfs"))
		return true;
	return text_span_is(type, "rootfs") && memmem(options.ptr, options.len, "size=", 5);
}

static void add_line(struct mounts *m, struct text_span line)
{
	struct text_span id, parent, dev, word, type, source, options;
	uint64_t device;

	if (!take_word(&line, &id) || !take_word(&line, &parent) || !take_word(&line, &dev))
		return;
	while (take_word(&line, &word) && !text_span_is(word, "-"))
		continue;
	if (!take_word(&line, &type) || !take_word(&line, &source) || !take_word(&line, &options))
		return;
	if (is_memory(type, options) && parse_device(dev, 10, &device))
		*array_push(m->devices, m->n, m->cap) = device;
}

void mounts_add(struct mounts *m, const char *data, size_t len)
{
	const char *end = data + len, *newline;

	for (; data < end && (newline = memchr(data, '\n', (size_t)(end - data))); data = newline + 1)
		add_line(m, (struct text_span){ data, (size_t)(newline - data) });
	m->is_sorted = false;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

bool mounts_is_tmpfs(struct mounts *m, const char *dev)
{
	uint64_t device;

	if (!m->n || !parse_device((struct text_span){ dev, strlen(dev) }, 16, &device))
		return false;
	if (!m->is_sorted)
		qsort(m->devices, m->n, sizeof(*m->devices), compare);
	m->is_sorted = true;
	return bsearch(&device, m->devices, m->n, sizeof(*m->devices), compare);
}
