/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "guest/agent/agent-json.h"

/* The text ends with a 0 byte, which no rule accepts: the cursor can never run past it. */

static char *skip_space(char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

static int hex4(const char *p)
{
	int value = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			value = value * 16 + c - '0';
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			value = value * 16 + (c | 32) - 'a' + 10;
		else
			return -1;
	}
	return value;
}

static char *put_utf8(char *to, unsigned c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 63));
	} else {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 63));
		*to++ = (char)(0x80 | (c & 63));
	}
	return to;
}

/* The escape after a backslash at *p, written to *to, which it never overtakes. */
static const char *read_escape(char **p, char **to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	char c = **p;
	const char *known = c ? strchr(from, c) : NULL;

	if (known) {
		*(*to)++ = into[known - from];
		++*p;
		return NULL;
	}
	if (c != 'u')
		return "unknown escape";

	int code = hex4(*p + 1);

	if (code <= 0 || (code >= 0xd800 && code <= 0xdfff))
		return "unsupported \\u escape";
	*to = put_utf8(*to, (unsigned)code);
	*p += 5;
	return NULL;
}

/* The string that starts at *p, decoded in place. */
static const char *read_string(char **p, char **ret)
{
	if (**p != '"')
		return "string expected";

	char *from = *p + 1, *to = from;

	*ret = from;
	while (*from != '"') {
		if ((unsigned char)*from < ' ')
			return *from ? "control character in string" : "unterminated string";
		if (*from != '\\') {
			*to++ = *from++;
			continue;
		}
		from++;

		const char *error = read_escape(&from, &to);

		if (error)
			return error;
	}
	*to = '\0';
	*p = from + 1;
	return NULL;
}

static const char *read_int(char **p, int64_t *ret)
{
	char *s = *p;
	bool negative = *s == '-';
	int64_t value = 0;

	s += negative;
	if (*s < '0' || *s > '9')
		return "value expected";
	if (*s == '0' && s[1] >= '0' && s[1] <= '9')
		return "number with leading zero";
	for (; *s >= '0' && *s <= '9'; s++) {
		int digit = negative ? '0' - *s : *s - '0';

		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value))
			return "number out of range";
	}
	if (*s == '.' || *s == 'e' || *s == 'E')
		return "number is not an integer";
	*ret = value;
	*p = s;
	return NULL;
}

static const char *read_array(char **p, struct json_object *o, struct json_member *m)
{
	m->type = JSON_TYPE_ARRAY;
	m->items = o->items + o->n_items;
	*p = skip_space(*p + 1);
	if (**p == ']') {
		++*p;
		return NULL;
	}
	for (;;) {
		if (o->n_items == JSON_ITEMS_MAX)
			return "too many strings in arrays";

		const char *error = read_string(p, &o->items[o->n_items]);

		if (error)
			return error;
		o->n_items++;
		m->n_items++;
		*p = skip_space(*p);
		if (**p == ']') {
			++*p;
			return NULL;
		}
		if (**p != ',')
			return "comma expected in array";
		*p = skip_space(*p + 1);
	}
}

static const char *read_value(char **p, struct json_object *o, struct json_member *m)
{
	if (**p == '"') {
		m->type = JSON_TYPE_STRING;
		return read_string(p, &m->string);
	}
	if (**p == '[')
		return read_array(p, o, m);
	if (**p == '{')
		return "nested object";

	bool is_true = strncmp(*p, "true", 4) == 0;

	if (is_true || strncmp(*p, "false", 5) == 0) {
		m->type = JSON_TYPE_BOOL;
		m->number = is_true;
		*p += is_true ? 4 : 5;
		return NULL;
	}
	m->type = JSON_TYPE_INT;
	return read_int(p, &m->number);
}

static const char *read_member(char **p, struct json_object *o)
{
	struct json_member m = { 0 };
	char *key;
	const char *error = read_string(p, &key);

	if (error)
		return error;
	for (size_t i = 0; i < o->n_members; i++)
		if (strcmp(o->members[i].key, key) == 0)
			return "duplicate key";
	if (o->n_members == JSON_MEMBERS_MAX)
		return "too many members";
	m.key = key;
	*p = skip_space(*p);
	if (**p != ':')
		return "colon expected";
	*p = skip_space(*p + 1);
	error = read_value(p, o, &m);
	if (error)
		return error;
	o->members[o->n_members++] = m;
	return NULL;
}

const char *json_parse(char *text, size_t len, struct json_object *ret)
{
	char *p = skip_space(text);

	ret->n_members = ret->n_items = 0;
	if (strlen(text) != len)
		return "zero byte in text";
	if (*p != '{')
		return "object expected";
	p = skip_space(p + 1);
	if (*p == '}')
		return *skip_space(p + 1) ? "text after the object" : NULL;
	for (;;) {
		const char *error = read_member(&p, ret);

		if (error)
			return error;
		p = skip_space(p);
		if (*p == '}')
			return *skip_space(p + 1) ? "text after the object" : NULL;
		if (*p != ',')
			return "comma expected in object";
		p = skip_space(p + 1);
	}
}

const struct json_member *json_find(const struct json_object *o, const char *key, enum json_type type)
{
	for (size_t i = 0; i < o->n_members; i++)
		if (o->members[i].type == type && strcmp(o->members[i].key, key) == 0)
			return &o->members[i];
	return NULL;
}

/* One byte is always kept for the last brace. */
static size_t room(const struct json_writer *w)
{
	return w->size - w->len - 1;
}

static void put_raw(struct json_writer *w, const char *text, size_t len)
{
	memcpy(w->buf + w->len, text, len);
	w->len += len;
}

/* The start of a member whose value takes at least value_len bytes; false when there is no room for it. */
static bool put_key(struct json_writer *w, const char *key, size_t value_len)
{
	size_t len = strlen(key);

	if (room(w) < len + 4 + value_len)
		return false;
	if (w->len > 1)
		put_raw(w, ",", 1);
	put_raw(w, "\"", 1);
	put_raw(w, key, len);
	put_raw(w, "\":", 2);
	return true;
}

void json_open(struct json_writer *w, char *buf, size_t size)
{
	*w = (struct json_writer){ .buf = buf, .size = size };
	put_raw(w, "{", 1);
}

void json_put_text(struct json_writer *w, const char *key, const char *text, size_t len)
{
	if (!put_key(w, key, 2))
		return;
	put_raw(w, "\"", 1);
	/* Room for the longest escape and the closing quote. */
	for (size_t i = 0; i < len && room(w) >= 3; i++) {
		char c = text[i];

		if (c == '"' || c == '\\')
			put_raw(w, (char[]){ '\\', c }, 2);
		else if (c == '\n')
			put_raw(w, "\\n", 2);
		else if (c == '\t')
			put_raw(w, "\\t", 2);
		else
			put_raw(w, c >= ' ' && c <= '~' ? &c : "?", 1);
	}
	put_raw(w, "\"", 1);
}

void json_put_int(struct json_writer *w, const char *key, int64_t value)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%lld", (long long)value);

	if (put_key(w, key, (size_t)len))
		put_raw(w, text, (size_t)len);
}

void json_put_bool(struct json_writer *w, const char *key, bool value)
{
	const char *text = value ? "true" : "false";

	if (put_key(w, key, strlen(text)))
		put_raw(w, text, strlen(text));
}

size_t json_close(struct json_writer *w)
{
	w->buf[w->len++] = '}';
	return w->len;
}
