/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/report/table.h"

#include <stdio.h>
#include <string.h>

#include "harness/base/format.h"
#include "harness/cell/cell-format.h"
#include "harness/cell/cell.h"
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
