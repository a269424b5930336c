/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "harness/cell/cell-format.h"
#include "harness/report/report-parts.h"

/* The number with its sign; "" when it is not known. */
static const char *signed_number(char buf[40], double v, const char *sign)
{
	char digits[32];

	format_fixed(digits, v, TABLE_DECIMALS);
	snprintf(buf, 40, "%s%s", *digits && *digits != '-' ? sign : "", digits);
	return buf;
}

const char *table_number(char buf[TABLE_TEXT], double v, const char *sign, const char *unit)
{
	char number[40];

	if (*signed_number(number, v, sign))
		snprintf(buf, TABLE_TEXT, "%s%.20s", number, unit);
	else
		snprintf(buf, TABLE_TEXT, "-%*s", (int)strlen(unit), "");
	return buf;
}

const char *table_range(char buf[TABLE_TEXT], double lo, double hi, const char *sign)
{
	char lo_text[40], hi_text[40];

	signed_number(lo_text, lo, sign);
	signed_number(hi_text, hi, sign);
	if (*lo_text || *hi_text)
		snprintf(buf, TABLE_TEXT, "[%s, %s]", *lo_text ? lo_text : "?", *hi_text ? hi_text : "?");
	else
		snprintf(buf, TABLE_TEXT, "-");
	return buf;
}

void table_name(struct strbuf *out, const struct report *r, const struct cell *cell)
{
	format_cell(out, cell);
	format_varying(out, cell, r->cells, r->cells_n);
}

void table_cell(struct strbuf *out, int width, const struct report *r, const struct cell *cell)
{
	struct known_spec known;
	size_t start;

	strbuf_adds(out, "  ");
	start = out->len;
	if (cell_known(cell, &known))
		strbuf_addf(out, "%u MiB: %s %.8s", cell->x_mib, known_kind_name(known.kind), cell->size);
	else
		format_cell(out, cell);
	format_varying(out, cell, r->cells, r->cells_n);
	if (out->len - start > (size_t)width) {
		strbuf_adds(out, "\n  ");
		start = out->len;
	}
	strbuf_addf(out, "%*s", width - (int)(out->len - start), "");
}

void table_end_line(struct strbuf *out, const char *flags)
{
	if (*flags) {
		strbuf_adds(out, "  ");
		format_clean(out, flags);
	}
	while (out->len && out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
	strbuf_adds(out, "\n");
}

json_t *members_cell_id(const struct cell *cell)
{
	return json_stringn(cell->key, strnlen(cell->key, 12));
}

void members_set_cell(json_t *object, const struct cell *cell)
{
	json_object_set_new(object, "cell", members_cell_id(cell));
	json_object_set_new(object, "x_mib", json_integer(cell->x_mib));
	json_object_set_new(object, "method", format_json_string(cell->method));
	json_object_set_new(object, "workload", format_json_string(cell->workload));
	json_object_set_new(object, "interpreter", format_json_string(cell->interpreter));
	json_object_set_new(object, "processes", json_integer(cell->processes));
	json_object_set_new(object, "launch", format_json_string(cell->launch));
	json_object_set_new(object, "size", format_json_string(cell->size));
}

void members_set_mib(json_t *object, const char *key, double kib)
{
	json_object_set_new(object, key, format_json_fixed(kib / 1024, 3));
}

void members_set_count(json_t *object, const char *key, size_t n)
{
	json_object_set_new(object, key, json_integer((json_int_t)n));
}

void members_set_flags(json_t *object, const char *flags)
{
	json_t *array = json_array();

	for (const char *p = flags; *p;) {
		size_t n = strcspn(p, ",");
		cleanup_strbuf struct strbuf flag = STRBUF_INIT;

		strbuf_add(&flag, p, n);
		json_array_append_new(array, format_json_string(flag.data));
		p += n + (p[n] == ',');
	}
	json_object_set_new(object, "flags", array);
}

json_t *members_array(const struct report *r, size_t n, json_t *(*f)(const struct report *r, size_t i))
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, f(r, i));
	return array;
}
