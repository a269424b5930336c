/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cell/cell-format.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/campaign/campaign.h"

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

static void add_json(struct strbuf *out, json_t *root, size_t digits)
{
	cleanup_free char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(digits));

	strbuf_adds(out, text ? text : "{}");
	strbuf_adds(out, "\n");
	json_decref(root);
}

void format_json(struct strbuf *out, json_t *root)
{
	/* Every double that came from three decimals prints as those. */
	add_json(out, root, 15);
}

void format_json_exact(struct strbuf *out, json_t *root)
{
	add_json(out, root, 17);
}

const char *const format_settings[] = {
	"image", "kernel", "accel", "icount", "vcpus", "swap_mib", "swap",      "swappiness", "min_free_kib",
	"thp",   "mglru",  "start", "onset",  "fill",  "touch",    "workloads", NULL,
};

void format_setting(struct strbuf *out, const struct cell *cell, const char *key)
{
	const json_t *v = json_object_get(cell->identity, key);

	if (strcmp(key, "icount") == 0) {
		strbuf_adds(out, json_is_true(v) ? "icount" : "");
	} else if (strcmp(key, "fill") == 0) {
		if (strcmp(cell_str(cell, key), "random") != 0) {
			strbuf_adds(out, "ballast fill ");
			format_clean(out, cell_str(cell, key));
		}
	} else if (strcmp(key, "touch") == 0) {
		if (v && strcmp(cell_str(cell, key), "none") != 0) {
			strbuf_adds(out, "ballast touch ");
			format_clean(out, cell_str(cell, key));
		}
	} else if (strcmp(key, "swap") == 0) {
		if (v && strcmp(cell_str(cell, key), "disk") != 0) {
			strbuf_adds(out, "swap on ");
			format_clean(out, cell_str(cell, key));
		}
	} else if (strcmp(key, "min_free_kib") == 0) {
		if (cell_uint(cell, key))
			strbuf_addf(out, "min_free_kbytes %u", cell_uint(cell, key));
	} else if (strcmp(key, "workloads") == 0) {
		/* The plan's own: a few digits of their key tell two states of them apart. */
		cleanup_free char *digits = xasprintf("%.12s", cell_str(cell, key));

		strbuf_adds(out, *digits ? "own workloads " : "");
		format_clean(out, digits);
	} else if (strcmp(key, "swap_mib") == 0) {
		strbuf_addf(out, "%u MiB swap", cell_uint(cell, key));
	} else if (strcmp(key, "vcpus") == 0) {
		strbuf_addf(out, "%u vCPU", cell_uint(cell, key));
	} else if (json_is_boolean(v)) {
		strbuf_addf(out, "%s %s", key, json_is_true(v) ? "on" : "off");
	} else if (json_is_integer(v)) {
		strbuf_addf(out, "%s %u", key, cell_uint(cell, key));
	} else if (json_is_string(v)) {
		strbuf_addf(out, "%s ", key);
		format_clean(out, cell_str(cell, key));
	}
}

bool format_is_shared(const struct cell *cells, size_t n, const char *key)
{
	for (size_t i = 1; i < n; i++)
		if (!json_equal(json_object_get(cells[0].identity, key),
				json_object_get(cells[i].identity, key)))
			/* json_equal() takes a missing member for different from a missing one. */
			if (json_object_get(cells[0].identity, key) ||
			    json_object_get(cells[i].identity, key))
				return false;
	return true;
}

void format_varying(struct strbuf *out, const struct cell *cell, const struct cell *cells, size_t n)
{
	for (const char *const *key = format_settings; *key; key++) {
		cleanup_strbuf struct strbuf setting = STRBUF_INIT;

		if (format_is_shared(cells, n, *key))
			continue;
		format_setting(&setting, cell, *key);
		if (setting.len)
			strbuf_addf(out, ", %s", setting.data);
	}
}

/* How many of them, and where they come from. */
static void add_processes(struct strbuf *out, const struct cell *cell)
{
	unsigned n = cell_uint(cell, "processes");

	if (cell_is(cell, METHOD_POPULATION))
		strbuf_adds(out, ", as many processes as there is room for");
	else
		strbuf_addf(out, ", %u process%s", n, n == 1 ? "" : "es");
	if (n != 1) {
		strbuf_adds(out, ", ");
		format_clean(out, cell_str(cell, "launch"));
	}
}

void format_cell(struct strbuf *out, const struct cell *cell)
{
	if (cell_is(cell, METHOD_RAM))
		strbuf_addf(out, "%u to %u MiB: ", cell_uint(cell, "x_lo_mib"), cell_uint(cell, "x_hi_mib"));
	else
		strbuf_addf(out, "%u MiB: ", cell_uint(cell, "x_mib"));
	format_clean(out, cell_str(cell, "workload"));
	if (strcmp(cell_str(cell, "interpreter"), "-") == 0)
		return;
	strbuf_adds(out, " on ");
	format_clean(out, cell_str(cell, "interpreter"));
	add_processes(out, cell);
	strbuf_adds(out, ", size ");
	format_clean(out, cell_str(cell, "size"));
	if (strcmp(cell_str(cell, "activity"), "frozen") == 0)
		strbuf_adds(out, ", frozen");
}
