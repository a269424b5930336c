/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The texts of a process, which a guest may have made up. */
#include "calibrate/evidence/text.h"
#include "tests/fuzz/tables.h"

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

/* The same text as each file of a process. */
static void check_views(const char *text, size_t size)
{
	cleanup(cleanup_views_) struct views *v = views_create(VIEWS_ALL);

	views_begin(v, 7, 3, "onset");
	views_add(v, 10, "smaps", text, size);
	views_add(v, 11, "smaps_rollup", text, size);
	views_add(v, 12, "status", text, size);
	views_add(v, 12, "smaps", text, size);
	views_end(v);
	check_tables(v, 7);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen s = { .text = (const char *)data, .len = size };
	size_t bad = text_each_smaps(s.text, size, on_mapping, on_field, NULL, &s);

	/* Each line is one item, or bad, or neither. */
	must_hold(s.items + bad <= count_lines(s.text, size));
	check_views(s.text, size);
	return 0;
}
