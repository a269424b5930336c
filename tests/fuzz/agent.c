/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON that the agent in the guest is sent, and what it writes itself. */
#include <string.h>

#include "guest/agent-json.c"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "tests/fuzz/fuzz.h"

static void check_string(const char *s, const char *text, size_t size)
{
	must_hold(s > text && s <= text + size && s + strlen(s) <= text + size);
}

static void check_object(const struct json_object *o, const char *text, size_t size)
{
	must_hold(o->n_members <= JSON_MEMBERS_MAX && o->n_items <= JSON_ITEMS_MAX);
	for (size_t i = 0; i < o->n_members; i++) {
		const struct json_member *m = &o->members[i];

		check_string(m->key, text, size);
		must_hold(json_find(o, m->key, m->type) == m);
		if (m->type == JSON_TYPE_STRING)
			check_string(m->string, text, size);
		for (size_t j = 0; m->type == JSON_TYPE_ARRAY && j < m->n_items; j++)
			check_string(m->items[j], text, size);
	}
}

/* Whatever is written, and wherever it was cut, the agent's own reader takes it. */
static void check_writer(const uint8_t *data, size_t size)
{
	char buf[200];
	struct json_object o;
	struct json_writer w;

	/* As small as allowed, to the size of most messages. */
	json_open(&w, buf, 64 + (size ? data[0] % 128 : 0));
	json_put_int(&w, "id", (int64_t)size - 100);
	json_put_text(&w, "line", (const char *)data, size);
	json_put_bool(&w, "bad", size & 1);

	size_t len = json_close(&w);

	must_hold(len <= w.size);
	buf[len] = '\0';
	must_hold(json_parse(buf, len, &o) == NULL && o.n_members >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct json_object o;
	cleanup_free char *text = xmemdup0(data, size);

	if (!json_parse(text, size, &o))
		check_object(&o, text, size);
	check_writer(data, size);
	return 0;
}
