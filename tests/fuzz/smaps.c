/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The text of a process's mappings, which a guest may have made up. */
#include "calibrate/text.h"
#include "tests/fuzz/fuzz.h"

struct seen {
	const char *text;
	size_t len, items;
};

static void check_span(const struct seen *s, struct text_span span)
{
	if (span.len)
		must_hold(span.ptr >= s->text && span.ptr + span.len <= s->text + s->len);
}

static void on_mapping(void *arg, const struct text_mapping *m)
{
	struct seen *s = arg;

	s->items++;
	must_hold(m->start < m->end && m->perms.len == 4);
	check_span(s, m->perms);
	check_span(s, m->path);
}

static void on_field(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct seen *s = arg;

	(void)value;
	(void)has_kib;
	s->items++;
	must_hold(key.len > 0);
	check_span(s, key);
}

static size_t count_lines(const char *text, size_t len)
{
	size_t n = len > 0 && text[len - 1] != '\n';

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen s = { .text = (const char *)data, .len = size };
	size_t bad = text_each_smaps(s.text, size, on_mapping, on_field, &s);

	/* Each line is one item, or bad, or neither. */
	must_hold(s.items + bad <= count_lines(s.text, size));
	return 0;
}
