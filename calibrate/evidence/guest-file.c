/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/guest-file.h"

#include <string.h>

#include "guest/pages.h"

/* Longer than any name that a kernel gives a number; a key that does not fit is left out. */
#define KEY_MAX 256

/* Of a zone's pages: below "low" reclaim begins, up to "high" it goes on. */
#define WATERMARKS 3

struct guest {
	text_number_fn *f;
	void *arg;
	size_t file_len;   /* of the key's first part, with the dot */
	char key[KEY_MAX]; /* "meminfo.MemTotal" */
	uint64_t watermark_pages[WATERMARKS];
	bool has_watermark[WATERMARKS];
};

static const char *const watermark_names[WATERMARKS] = { "min", "low", "high" };

bool guest_file_is_one(const char *name)
{
	static const char *const names[] = { "meminfo",  "vmstat", "slabinfo", "buddyinfo",
					     "zoneinfo", "agent",  "cpu.stat" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return text_starts_with(name, "memory.") || text_starts_with(name, "pressure/");
}

static void put(struct guest *g, size_t key_len, uint64_t value)
{
	g->f(g->arg, (struct text_span){ g->key, key_len }, value, false);
}

static bool append(struct guest *g, size_t *at, struct text_span s)
{
	if (s.len > KEY_MAX - *at)
		return false;
	memcpy(g->key + *at, s.ptr, s.len);
	*at += s.len;
	return true;
}

static void on_number(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct guest *g = arg;
	size_t at = g->file_len;

	(void)has_kib;
	if (append(g, &at, key))
		put(g, at, value);
}

/* No line of these files has more words; those after it are left out. */
#define WORDS_MAX 64

/* A file that is one number and a newline, as memory.current is. */
static bool is_lone_number(const char *text, size_t len, uint64_t *ret)
{
	return len > 0 && text[len - 1] == '\n' && text_span_number((struct text_span){ text, len - 1 }, ret);
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=123": the total, in microseconds. */
static void add_pressure(struct guest *g, struct text_span words[], size_t n)
{
	struct text_span last = n ? words[n - 1] : (struct text_span){ "", 0 };
	size_t at = g->file_len;
	uint64_t value;

	if (n < 2 || last.len < 6 || memcmp(last.ptr, "total=", 6) != 0 ||
	    !text_span_number((struct text_span){ last.ptr + 6, last.len - 6 }, &value))
		return;
	if (append(g, &at, words[0]) && append(g, &at, (struct text_span){ ".total", 6 }))
		put(g, at, value);
}

/*
 * "NAME active num objsize objperslab pagesperslab : tunables 0 0 0 : slabdata active_slabs num_slabs 0": the
 * memory of its slabs. A name may have blanks: it ends five words before the first colon.
 */
static void add_slab(struct guest *g, struct text_span words[], size_t n)
{
	uint64_t slab_pages, slabs, kib;
	size_t colon = 0, at = g->file_len;

	while (colon < n && !text_span_is(words[colon], ":"))
		colon++;
	if (colon < 6 || n - colon < 5 || !text_span_is(words[n - 4], "slabdata"))
		return;
	if (!text_span_number(words[colon - 1], &slab_pages) || !text_span_number(words[n - 2], &slabs) ||
	    __builtin_mul_overflow(slab_pages, slabs, &kib) || __builtin_mul_overflow(kib, PAGE_KIB, &kib))
		return;

	const char *end = words[colon - 6].ptr + words[colon - 6].len;

	if (append(g, &at, (struct text_span){ words[0].ptr, (size_t)(end - words[0].ptr) }))
		put(g, at, kib);
}

/* "Node 0, zone   Normal   2215   1454 ...": free blocks of 1, 2, 4, ... pages. */
static void add_buddies(struct guest *g, struct text_span words[], size_t n)
{
	size_t at = g->file_len;
	uint64_t value;

	if (n < 5 || !text_span_is(words[0], "Node") || !text_span_is(words[2], "zone") ||
	    words[1].ptr[words[1].len - 1] != ',')
		return;
	words[1].len--;
	if (!append(g, &at, words[1]) || !append(g, &at, (struct text_span){ ".", 1 }) ||
	    !append(g, &at, words[3]) || KEY_MAX - at < 3)
		return;
	g->key[at++] = '.';
	/* The largest order has one digit or two. */
	for (size_t i = 4; i < n && text_span_number(words[i], &value); i++) {
		size_t order = i - 4, end = at;

		if (order > 9)
			g->key[end++] = (char)('0' + order / 10);
		g->key[end++] = (char)('0' + order % 10);
		put(g, end, value);
	}
}

/* "        high     846" of a zone; what processors keep for themselves reads "high:  378". */
static void add_watermark(struct guest *g, struct text_span words[], size_t n)
{
	uint64_t pages;

	for (size_t i = 0; i < WATERMARKS; i++)
		if (n == 2 && text_span_is(words[0], watermark_names[i]) &&
		    text_span_number(words[1], &pages) &&
		    !__builtin_add_overflow(g->watermark_pages[i], pages, &g->watermark_pages[i]))
			g->has_watermark[i] = true;
}

/* All zones together, as the kernel adds them up when it decides what to reclaim. */
static void put_watermarks(struct guest *g)
{
	for (size_t i = 0; i < WATERMARKS; i++) {
		struct text_span name = { watermark_names[i], strlen(watermark_names[i]) };
		size_t at = g->file_len;

		if (g->has_watermark[i] && append(g, &at, name))
			put(g, at, g->watermark_pages[i]);
	}
}

typedef void line_fn(struct guest *g, struct text_span words[], size_t n);

static void each_line(struct guest *g, const char *data, size_t len, line_fn *f)
{
	struct text_span words[WORDS_MAX] = { { NULL, 0 } };
	struct text_span rest = { data, len }, line;

	while (text_take_line(&rest, &line)) {
		size_t n = 0;

		if (line.len && memchr(line.ptr, '\0', line.len))
			continue;
		while (n < WORDS_MAX && text_take_word(&line, &words[n]))
			n++;
		f(g, words, n);
	}
}

static void add_watermarks(struct guest *g, const char *data, size_t len)
{
	each_line(g, data, len, add_watermark);
	put_watermarks(g);
}

void guest_file_each_number(const char *name, const char *data, size_t len, text_number_fn *f, void *arg)
{
	struct guest g = { .f = f, .arg = arg };
	struct text_span dot = { ".", 1 }, file = { name, strlen(name) };
	uint64_t value;

	if (!append(&g, &g.file_len, file) || !append(&g, &g.file_len, dot))
		return;
	if (text_starts_with(name, "pressure/") || strcmp(name, "memory.pressure") == 0)
		each_line(&g, data, len, add_pressure);
	else if (strcmp(name, "slabinfo") == 0)
		each_line(&g, data, len, add_slab);
	else if (strcmp(name, "buddyinfo") == 0)
		each_line(&g, data, len, add_buddies);
	else if (strcmp(name, "zoneinfo") == 0)
		add_watermarks(&g, data, len);
	else if (text_starts_with(name, "memory.") && is_lone_number(data, len, &value))
		put(&g, file.len, value);
	else
		text_each_number(data, len, on_number, &g);
}
