/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/text.h"

#include <string.h>

bool text_span_is(struct text_span span, const char *s)
{
	return span.len == strlen(s) && memcmp(span.ptr, s, span.len) == 0;
}

bool text_starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void skip(struct text_span *s, size_t n)
{
	s->ptr += n;
	s->len -= n;
}

static void skip_blanks(struct text_span *s)
{
	while (s->len > 0 && (*s->ptr == ' ' || *s->ptr == '\t'))
		skip(s, 1);
}

static bool skip_char(struct text_span *s, char c)
{
	if (s->len == 0 || *s->ptr != c)
		return false;
	skip(s, 1);
	return true;
}

bool text_take_until(struct text_span *s, char c, struct text_span *ret)
{
	const char *p = s->len > 0 ? memchr(s->ptr, c, s->len) : NULL;

	if (!p)
		return false;
	*ret = (struct text_span){ s->ptr, (size_t)(p - s->ptr) };
	skip(s, ret->len + 1);
	return true;
}

bool text_take_line(struct text_span *rest, struct text_span *ret)
{
	return text_take_until(rest, '\n', ret);
}

bool text_take_word(struct text_span *line, struct text_span *ret)
{
	size_t len = 0;

	while (skip_char(line, ' '))
		continue;
	while (len < line->len && line->ptr[len] != ' ')
		len++;
	*ret = (struct text_span){ line->ptr, len };
	skip(line, len);
	return len > 0;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return 16;
}

enum take { TAKE_OK, TAKE_NONE, TAKE_OVERFLOW };

/* Takes all leading digits of the base away from s. */
static enum take take_digits(struct text_span *s, unsigned base, uint64_t *ret)
{
	enum take result = TAKE_NONE;
	uint64_t value = 0;

	for (; s->len > 0 && digit_value(*s->ptr) < (int)base; skip(s, 1)) {
		if (result == TAKE_NONE)
			result = TAKE_OK;
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit_value(*s->ptr), &value))
			result = TAKE_OVERFLOW;
	}
	*ret = value;
	return result;
}

bool text_take_number(struct text_span *s, unsigned base, uint64_t *ret)
{
	return take_digits(s, base, ret) == TAKE_OK;
}

bool text_span_number(struct text_span span, uint64_t *ret)
{
	uint64_t value;

	if (!text_take_number(&span, 10, &value) || span.len)
		return false;
	*ret = value;
	return true;
}

enum line_kind { LINE_BAD, LINE_NUMBER, LINE_OTHER };

/* What a value says: "   123 kB", "123", "0", or something else. */
static enum line_kind parse_value(struct text_span s, uint64_t *value, bool *has_kib)
{
	skip_blanks(&s);

	bool is_padded = s.len > 1 && s.ptr[0] == '0' && digit_value(s.ptr[1]) < 10;
	enum take taken = take_digits(&s, 10, value);

	*has_kib = text_span_is(s, " kB");
	if (is_padded || taken == TAKE_NONE || (s.len > 0 && !*has_kib))
		return LINE_OTHER;
	return taken == TAKE_OVERFLOW ? LINE_BAD : LINE_NUMBER;
}

static bool has_nul(struct text_span line)
{
	return line.len > 0 && memchr(line.ptr, '\0', line.len);
}

static enum line_kind parse_number(struct text_span line, struct text_span *key, uint64_t *value,
				   bool *has_kib)
{
	if (has_nul(line))
		return LINE_BAD;
	if (!text_take_until(&line, ':', key) && !text_take_until(&line, ' ', key))
		return LINE_BAD;
	if (key->len == 0)
		return LINE_BAD;
	return parse_value(line, value, has_kib);
}

size_t text_each_number(const char *text, size_t len, text_number_fn *f, void *arg)
{
	struct text_span rest = { text, len }, line, key;
	size_t bad = 0;
	uint64_t value;
	bool has_kib;

	while (text_take_line(&rest, &line)) {
		enum line_kind kind = parse_number(line, &key, &value, &has_kib);

		if (kind == LINE_BAD)
			bad++;
		else if (kind == LINE_NUMBER)
			f(arg, key, value, has_kib);
	}
	return bad + (rest.len > 0);
}

bool text_get_number(const char *text, size_t len, const char *key, uint64_t *ret)
{
	struct text_span rest = { text, len }, line, name;
	uint64_t value;
	bool has_kib;

	while (text_take_line(&rest, &line))
		if (parse_number(line, &name, &value, &has_kib) == LINE_NUMBER && text_span_is(name, key)) {
			*ret = value;
			return true;
		}
	return false;
}

bool text_get_string(const char *text, size_t len, const char *key, struct text_span *ret)
{
	struct text_span rest = { text, len }, line, name;

	while (text_take_line(&rest, &line)) {
		if (has_nul(line) || !text_take_until(&line, ':', &name) || !text_span_is(name, key))
			continue;
		if (!skip_char(&line, '\t'))
			skip_char(&line, ' ');
		*ret = line;
		return true;
	}
	return false;
}

static bool are_perms(struct text_span s)
{
	return s.len == 4 && (s.ptr[0] == 'r' || s.ptr[0] == '-') && (s.ptr[1] == 'w' || s.ptr[1] == '-') &&
	       (s.ptr[2] == 'x' || s.ptr[2] == '-') && (s.ptr[3] == 's' || s.ptr[3] == 'p');
}

/*
 * "START-END PERMS OFFSET MAJOR:MINOR INODE", then blanks and the path. A mapping without a path ends in a
 * space or not, depending on the kernel. A path begins with '/', '[' or a letter, never with a blank.
 */
static bool parse_header(struct text_span s, struct text_mapping *m)
{
	if (!text_take_number(&s, 16, &m->start) || !skip_char(&s, '-') ||
	    !text_take_number(&s, 16, &m->end) || !skip_char(&s, ' ') || m->start >= m->end)
		return false;
	if (!text_take_until(&s, ' ', &m->perms) || !are_perms(m->perms))
		return false;
	if (!text_take_number(&s, 16, &m->offset) || !skip_char(&s, ' '))
		return false;
	m->dev.ptr = s.ptr;
	if (!text_take_number(&s, 16, &m->dev_major) || !skip_char(&s, ':') ||
	    !text_take_number(&s, 16, &m->dev_minor))
		return false;
	m->dev.len = (size_t)(s.ptr - m->dev.ptr);
	if (!skip_char(&s, ' '))
		return false;
	if (!text_take_number(&s, 10, &m->inode) || (s.len > 0 && *s.ptr != ' '))
		return false;
	skip_blanks(&s);
	m->path = s;
	return true;
}

static bool is_name(struct text_span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '_')
			return false;
	}
	return s.len > 0;
}

/* Does the line look like "Name: ..."? Takes the name away. */
static bool take_name(struct text_span *line, struct text_span *ret)
{
	return text_take_until(line, ':', ret) && is_name(*ret);
}

static struct text_span trim(struct text_span s)
{
	skip_blanks(&s);
	while (s.len > 0 && s.ptr[s.len - 1] == ' ')
		s.len--;
	return s;
}

size_t text_each_smaps(const char *text, size_t len, text_mapping_fn *mapping, text_number_fn *field,
		       text_string_fn *string, void *arg)
{
	struct text_span rest = { text, len }, line, key;
	bool in_mapping = false, has_kib;
	size_t bad = 0;
	uint64_t value;

	while (text_take_line(&rest, &line)) {
		struct text_mapping m;

		if (!has_nul(line) && parse_header(line, &m)) {
			in_mapping = true;
			if (mapping)
				mapping(arg, &m);
			continue;
		}
		if (has_nul(line) || !take_name(&line, &key))
			in_mapping = false;

		enum line_kind kind = in_mapping ? parse_value(line, &value, &has_kib) : LINE_BAD;

		if (kind == LINE_BAD)
			bad++;
		else if (kind == LINE_NUMBER)
			field(arg, key, value, has_kib);
		else if (string)
			string(arg, key, trim(line));
	}
	return bad + (rest.len > 0);
}
