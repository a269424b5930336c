/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The text of a file of numbers, which a guest may have made up. */
#include "calibrate/evidence/text.h"
#include "tests/fuzz/tables.h"

struct seen {
	const char *text;
	size_t len;
	struct text_span first;
	uint64_t first_value;
};

static void on_number(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct seen *s = arg;

	(void)has_kib;
	must_hold(key.len > 0 && key.ptr >= s->text && key.ptr + key.len < s->text + s->len);
	if (s->first.len)
		return;
	s->first = key;
	s->first_value = value;
}

/* The first key of a text is found with the value it was told with. */
static void check_first(const struct seen *s)
{
	char key[128];
	uint64_t value;

	if (s->first.len == 0 || s->first.len >= sizeof(key))
		return;
	memcpy(key, s->first.ptr, s->first.len);
	key[s->first.len] = '\0';
	must_hold(text_get_number(s->text, s->len, key, &value) && value == s->first_value);
}

/* The same text as each file of the guest. */
static void check_views(const char *text, size_t size)
{
	static const char *const names[] = { "meminfo",   "vmstat",          "memory.stat", "slabinfo",
					     "buddyinfo", "memory.current",  "agent",       "pressure/memory",
					     "mountinfo", "memory.pressure", "cpu.stat" };
	cleanup(cleanup_views_) struct views *v = views_create(VIEWS_ALL);

	views_begin(v, 7, 3, "onset");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		views_add(v, 0, names[i], text, size);
		views_add_baseline(v, names[i], text, size);
	}
	views_end(v);
	check_tables(v, 7);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen s = { .text = (const char *)data, .len = size };

	text_each_number(s.text, size, on_number, &s);
	check_first(&s);
	check_views(s.text, size);
	return 0;
}
