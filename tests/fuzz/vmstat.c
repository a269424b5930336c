/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The text of a file of numbers, which a guest may have made up. */
#include <string.h>

#include "calibrate/text.h"
#include "tests/fuzz/fuzz.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen s = { .text = (const char *)data, .len = size };

	text_each_number(s.text, size, on_number, &s);
	check_first(&s);
	return 0;
}
