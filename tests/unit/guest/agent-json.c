/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The agent's JSON: what the protocol allows is read, all else refused, and what it writes is well-formed. */

#include <jansson.h>

#include "guest/agent/agent-json.c"
#include "guest/proto.h"
#include "tests/tap.h"

static struct json_object object;

/* Parses a copy; the strings of the object live until the next call. */
static const char *parse(const char *text)
{
	static char *copy;

	free(copy);
	copy = strdup(text);
	return json_parse(copy, strlen(copy), &object);
}

static const char *string_of(const char *key)
{
	const struct json_member *m = json_find(&object, key, JSON_TYPE_STRING);

	return m ? m->string : NULL;
}

static long long int_of(const char *key)
{
	const struct json_member *m = json_find(&object, key, JSON_TYPE_INT);

	return m ? m->number : -999;
}

static void test_values(void)
{
	ok(!parse("{\"type\": \"start\", \"id\": 7, \"argv\": [\"a\", \"b c\"], \"env\": [], \"chroot\": "
		  "true, \"no\":false }\n"),
	   "a message is read");
	is_int(object.n_members, 6, "all members");
	is_str(string_of("type"), "start", "a string");
	is_int(int_of("id"), 7, "a number");

	const struct json_member *argv = json_find(&object, "argv", JSON_TYPE_ARRAY);
	const struct json_member *env = json_find(&object, "env", JSON_TYPE_ARRAY);
	const struct json_member *yes = json_find(&object, "chroot", JSON_TYPE_BOOL);
	const struct json_member *no = json_find(&object, "no", JSON_TYPE_BOOL);

	ok(argv && argv->n_items == 2 && !strcmp(argv->items[0], "a") && !strcmp(argv->items[1], "b c"),
	   "an array of strings");
	ok(env && env->n_items == 0, "an empty array");
	ok(yes && yes->number == 1 && no && no->number == 0, "booleans");
	ok(!json_find(&object, "id", JSON_TYPE_STRING), "a member of another type is not found");
	ok(!json_find(&object, "none", JSON_TYPE_INT), "a member that is not there is not found");
	ok(!parse("{}") && object.n_members == 0, "an empty object");
	ok(!parse(" \r\n\t{ \"a\" : [ \"x\" , \"y\" ] , \"b\" : [ \"z\" ] } "), "space everywhere");
	ok(object.members[1].n_items == 1 && !strcmp(object.members[1].items[0], "z"),
	   "two arrays keep apart");
}

static void test_escapes(void)
{
	ok(!parse("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}"), "all short escapes");
	is_str(string_of("a"), "\"\\/\b\f\n\r\t", "their meaning");
	ok(!parse("{\"a\":\"\\u0041\\u00e9\\u20AC|\"}"), "\\u escapes");
	is_str(string_of("a"), "A\xc3\xa9\xe2\x82\xac|", "become UTF-8");
	ok(!parse("{\"\\u0061b\":1}") && int_of("ab") == 1, "escapes in a key");
	ok(!parse("{\"a\":\"\xc3\xa9\"}"), "UTF-8 as it is");
	is_str(string_of("a"), "\xc3\xa9", "stays as it is");
}

static void test_numbers(void)
{
	ok(!parse("{\"a\":9223372036854775807,\"b\":-9223372036854775808,\"c\":-0}"), "extreme numbers");
	ok(int_of("a") == INT64_MAX && int_of("b") == INT64_MIN && int_of("c") == 0, "their values");
}

/* Groups of texts, and what is said of them; NULL: anything. */
static const struct {
	const char *what, *why, *texts[12];
} refused[] = {
	{ "no object", NULL, { "", " ", "[]", "1", "\"a\"", "null", "}", "{1:2}", "{a:1}" } },
	{ "cut", NULL, { "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":\"\\" } },
	{ "commas and colons", NULL, { "{\"a\":1,}", "{,}", "{\"a\" 1}", "{\"a\":1 \"b\":2}" } },
	{ "quotes", NULL, { "{\"a:1}", "{\"a\":'b'}", "{\"a\":\"b}", "{\"a\":b\"}", "{\"a\":\"b\"\"c\"}" } },
	{ "an array", NULL, { "{\"a\":[\"b\"}", "{\"a\":[\"b\",]}", "{\"a\":[\"b\" \"c\"]}" } },
	{ "not of strings", NULL, { "{\"a\":[1]}", "{\"a\":[true]}" } },
	{ "words", NULL, { "{\"a\":null}", "{\"a\":tru}", "{\"a\":truefalse}" } },
	{ "escapes", NULL, { "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\\u12g4\"}" } },
	{ "characters", NULL, { "{\"a\":\"\\u0000\"}", "{\"a\":\"\\ud83d\\ude00\"}", "{\"a\":\"\n\"}" } },
	{ "more than one", NULL, { "{\"a\":1}{}", "{\"a\":1} x", "{} {}" } },
	{ "signs", NULL, { "{\"a\":-}", "{\"a\":+1}" } },
	{ "a number too large or small",
	  "number out of range",
	  { "{\"a\":9223372036854775808}", "{\"a\":-9223372036854775809}",
	    "{\"a\":99999999999999999999999}" } },
	{ "no integer", "number is not an integer", { "{\"a\":1.5}", "{\"a\":1e3}" } },
	{ "a leading zero", "number with leading zero", { "{\"a\":01}" } },
	{ "a nested object", "nested object", { "{\"a\":{\"b\":1}}" } },
	{ "a nested array", "string expected", { "{\"a\":[[\"b\"]]}" } },
	{ "a key twice", "duplicate key", { "{\"a\":1,\"a\":2}" } },
};

static void test_refused(void)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		for (const char *const *text = refused[i].texts; *text; text++) {
			const char *why = parse(*text);
			char what[96];

			snprintf(what, sizeof(what), "refused: %s, text %td", refused[i].what,
				 text - refused[i].texts);
			is_str(why, refused[i].why ? refused[i].why : why, what);
		}

	char zero[] = "{\"a\":\"b\0c\"}";

	is_str(json_parse(zero, sizeof(zero) - 1, &object), "zero byte in text", "a zero byte");
}

static void test_too_long(void)
{
	char text[PROTO_JSON_MAX + 1];
	char *p = text;

	*p++ = '{';
	for (int i = 0; i <= JSON_MEMBERS_MAX; i++)
		p += sprintf(p, "%s\"k%d\":%d", i ? "," : "", i, i);
	strcpy(p, "}");
	is_str(parse(text), "too many members", "one member too many");

	p = text + sprintf(text, "{\"a\":[\"\"");
	for (int i = 1; i < JSON_ITEMS_MAX; i++)
		p += sprintf(p, ",\"%d\"", i);
	strcpy(p, "]}");
	ok(!parse(text) && object.n_items == JSON_ITEMS_MAX, "as many strings as fit");
	strcpy(p, ",\"\"]}");
	is_str(parse(text), "too many strings in arrays", "one string too many");
	strcpy(p, "],\"b\":[\"\"]}");
	is_str(parse(text), "too many strings in arrays", "one string too many in the next array");

	memset(text, 'x', sizeof(text));
	memcpy(text, "{\"a\":\"", 6);
	strcpy(text + PROTO_JSON_MAX - 2, "\"}");
	ok(!parse(text) && strlen(string_of("a")) == PROTO_JSON_MAX - 8, "a string as long as a message");
}

/* Every text accepted with changes at random must be JSON to a full parser, with as many members. */
static void test_mutations(void)
{
	static const char seed[] =
		"{\"type\":\"start\",\"id\":12,\"argv\":[\"a\\n\",\"\\u00e9\"],\"chroot\":true}";
	static const char alphabet[] = "{}[]\",:\\u0019-.etrufalsn \n\t\x01x";
	int accepted = 0, wrong = 0;

	srandom(7);
	for (int i = 0; i < 200000; i++) {
		char text[sizeof(seed)];

		memcpy(text, seed, sizeof(seed));
		for (int n = 1 + (int)(random() % 4); n > 0; n--)
			text[(size_t)random() % (sizeof(seed) - 1)] =
				alphabet[(size_t)random() % (sizeof(alphabet) - 1)];
		if (parse(text))
			continue;
		accepted++;

		json_t *full = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

		wrong += !full || json_object_size(full) != object.n_members;
		json_decref(full);
	}
	ok(accepted > 1000, "some mutations are still messages");
	is_int(wrong, 0, "all of those are JSON to another parser");
}

static void test_writer(void)
{
	char buf[256];
	struct json_writer w;

	json_open(&w, buf, sizeof(buf));
	json_put_text(&w, "type", "reply", 5);
	json_put_int(&w, "id", INT64_MIN);
	json_put_bool(&w, "ok", true);
	json_put_text(&w, "error", "a \"b\" \\ c\n\td\x01\x7f\xc3\xa9", 16);
	buf[json_close(&w)] = '\0';
	is_str(buf,
	       "{\"type\":\"reply\",\"id\":-9223372036854775808,\"ok\":true,\"error\":\"a \\\"b\\\" \\\\ "
	       "c\\n\\td????\"}",
	       "an object is written, with what is not printable replaced");
	json_open(&w, buf, sizeof(buf));
	buf[json_close(&w)] = '\0';
	is_str(buf, "{}", "an empty object");
}

/* However little room there is, the object stays well-formed and within it. */
static void test_writer_full(void)
{
	char long_text[400];
	int bad = 0, outside = 0;

	for (size_t i = 0; i < sizeof(long_text); i++)
		long_text[i] = i % 3 ? '"' : 'x';
	for (size_t size = 64; size < 500; size++) {
		char buf[520];
		struct json_writer w;

		memset(buf, '~', sizeof(buf));
		json_open(&w, buf, size);
		json_put_text(&w, "a", "first", 5);
		json_put_text(&w, "b", long_text, sizeof(long_text));
		json_put_int(&w, "c", 1234567890);
		json_put_bool(&w, "d", false);
		json_put_text(&w, "e", "", 0);

		size_t len = json_close(&w);
		json_t *full = json_loadb(buf, len, 0, NULL);

		bad += !full || !json_object_get(full, "a");
		outside += len > size || buf[size] != '~';
		json_decref(full);
	}
	is_int(bad, 0, "a full object is well-formed");
	is_int(outside, 0, "and ends within its room");
}

TAP_MAIN(test_values, test_escapes, test_numbers, test_refused, test_too_long, test_mutations, test_writer,
	 test_writer_full)
