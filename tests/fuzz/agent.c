/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON that the agent in the guest is sent, and what it writes itself. */
#include <jansson.h>
#include <string.h>

#include "guest/agent/agent-json.c"
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

static void check_value(const struct json_member *m, const json_t *v)
{
	switch (m->type) {
	case JSON_TYPE_STRING:
		must_hold(json_is_string(v) && strcmp(json_string_value(v), m->string) == 0);
		break;
	case JSON_TYPE_INT:
		must_hold(json_is_integer(v) && json_integer_value(v) == m->number);
		break;
	case JSON_TYPE_BOOL:
		must_hold(json_is_boolean(v) && json_is_true(v) == (int)m->number);
		break;
	case JSON_TYPE_ARRAY:
		must_hold(json_array_size(v) == m->n_items && json_is_array(v));
		for (size_t i = 0; i < m->n_items; i++)
			must_hold(strcmp(json_string_value(json_array_get(v, i)), m->items[i]) == 0);
	}
}

/* What the agent reads, the host's library reads too, and the same. Only that one looks at UTF-8. */
static void check_same(const struct json_object *o, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] >= 0x80)
			return;

	cleanup(cleanup_json_) json_t *json =
		json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);

	must_hold(json && json_object_size(json) == o->n_members);
	for (size_t i = 0; i < o->n_members; i++)
		check_value(&o->members[i], json_object_get(json, o->members[i].key));
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

	if (!json_parse(text, size, &o)) {
		check_object(&o, text, size);
		check_same(&o, data, size);
	}
	check_writer(data, size);
	return 0;
}
