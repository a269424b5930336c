/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/format.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const long long powers[] = { 1, 10, 100, 1000 };

const char *format_fixed(char buf[32], double v, int decimals)
{
	long long power = powers[decimals];

	/* 1e12 KiB is a pebibyte: no measurement; it leaves room for the decimals in 64 bits. */
	if (!isfinite(v) || fabs(v) > 1e12) {
		buf[0] = '\0';
		return buf;
	}

	long long scaled = llround(v * (double)power);
	long long size = llabs(scaled);
	int n = snprintf(buf, 32, "%s%lld", scaled < 0 ? "-" : "", size / power);

	if (decimals)
		snprintf(buf + n, 32 - (size_t)n, ".%0*lld", decimals, size % power);
	return buf;
}

/* Length of the UTF-8 character at s, 0 when there is none or it controls a terminal. */
static size_t printable_len(const unsigned char *s)
{
	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;

	size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	/* 0xc2 begins U+0080 to U+00BF, of which the first half are controls. */
	if (s[0] < 0xc2 || s[0] > 0xf4 || (s[0] == 0xc2 && s[1] < 0xa0))
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Forms longer than needed, surrogates, and beyond U+10FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

void format_clean(struct strbuf *out, const char *text)
{
	while (*text) {
		size_t len = printable_len((const unsigned char *)text);

		if (len)
			strbuf_add(out, text, len);
		else
			strbuf_adds(out, "?");
		text += len ? len : 1;
	}
}

void format_csv(struct strbuf *out, const char *text)
{
	cleanup_strbuf struct strbuf clean = STRBUF_INIT;

	format_clean(&clean, text);

	const char *s = strbuf_str(&clean);

	if (!strpbrk(s, "\",\r\n")) {
		strbuf_adds(out, s);
		return;
	}
	strbuf_adds(out, "\"");
	for (; *s; s++)
		strbuf_add(out, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
	strbuf_adds(out, "\"");
}

json_t *format_json_string(const char *text)
{
	cleanup_strbuf struct strbuf clean = STRBUF_INIT;

	format_clean(&clean, text);
	return json_string(strbuf_str(&clean));
}

json_t *format_json_fixed(double v, int decimals)
{
	char buf[32];

	if (!*format_fixed(buf, v, decimals))
		return json_null();

	long long scaled = llround(v * (double)powers[decimals]);

	return decimals ? json_real((double)scaled / (double)powers[decimals]) : json_integer(scaled);
}

json_t *format_json_number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

json_t *format_json_strings(const char *const *strings)
{
	json_t *array = json_array();

	for (; strings && *strings; strings++)
		json_array_append_new(array, json_string(*strings));
	return array;
}

void format_json(struct strbuf *out, json_t *root)
{
	/* Every double that came from so many decimals prints as those. */
	cleanup_free char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(DBL_DIG));

	strbuf_adds(out, text ? text : "{}");
	strbuf_adds(out, "\n");
	json_decref(root);
}
