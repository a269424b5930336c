/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "harness/base/format.h"
#include "harness/campaign/campaign.h"
#include "harness/cell/cell-format.h"
#include "harness/cell/cell.h"
#include "harness/report/report.h"

static struct report_field text_field(const char *name, const char *text)
{
	return (struct report_field){ .name = name, .text = text };
}

static struct report_field number_field(const char *name, double number, int decimals)
{
	return (struct report_field){ .name = name, .number = number, .decimals = decimals };
}

/* Sizes are KiB inside, MiB outside: three decimals are finer than a page. */
static struct report_field mib_field(const char *name, double kib)
{
	return number_field(name, kib / 1024, 3);
}

static struct report_field cell_text(const struct cell *cell, const char *key)
{
	return text_field(key, cell_str(cell, key));
}

static struct report_field cell_number(const struct cell *cell, const char *key)
{
	const json_t *v = json_object_get(cell->identity, key);

	return number_field(key, json_is_integer(v) ? (double)json_integer_value(v) : (double)NAN, 0);
}

void report_row_fields(const struct report_row *row, struct report_field fields[REPORT_FIELDS])
{
	const struct cell *c = row->cell;
	const struct report_field all[REPORT_FIELDS] = {
		text_field("cell", c->key),
		number_field("x_mib", row->x_mib, cell_is(c, METHOD_RAM) ? 1 : 0),
		number_field("mem_total_kib", row->mem_total_kib, 0),
		number_field("mem_available0_kib", row->mem_available0_kib, 0),
		cell_text(c, "kernel"),
		cell_text(c, "accel"),
		cell_number(c, "swappiness"),
		cell_text(c, "thp"),
		text_field("mglru", cell_bool(c, "mglru") ? "true" : "false"),
		cell_text(c, "method"),
		cell_text(c, "workload"),
		cell_text(c, "interpreter"),
		cell_number(c, "processes"),
		cell_text(c, "launch"),
		cell_text(c, "size"),
		text_field("metric", row->metric),
		mib_field("y_mib", row->y_kib),
		mib_field("y_lo_mib", row->y_lo_kib),
		mib_field("y_hi_mib", row->y_hi_kib),
		mib_field("z_mib", row->z_kib),
		mib_field("z_lo_mib", row->z_lo_kib),
		mib_field("z_hi_mib", row->z_hi_kib),
		mib_field("diff_mib", row->diff_kib),
		number_field("diff_pct", row->diff_pct, 2),
		number_field("n", row->n, 0),
		text_field("flags", row->flags),
	};

	memcpy(fields, all, sizeof(all));
}

static void add_field(struct strbuf *out, const struct report_field *f)
{
	char buf[32];

	if (!f->text)
		strbuf_adds(out, format_fixed(buf, f->number, f->decimals));
	else if (strcmp(f->name, "cell") == 0)
		strbuf_addf(out, "%.12s", f->text);
	else
		format_csv(out, f->text);
}

/* Names alone: rows of an empty report. */
static void add_header(struct strbuf *out)
{
	static const struct cell nothing;
	const struct report_row row = { .cell = &nothing, .metric = "", .flags = (char *)"" };
	struct report_field fields[REPORT_FIELDS];

	report_row_fields(&row, fields);
	for (int i = 0; i < REPORT_FIELDS; i++)
		strbuf_addf(out, "%s%s", i ? "," : "", fields[i].name);
	strbuf_adds(out, "\n");
}

void report_csv(const struct report *r, struct strbuf *out)
{
	add_header(out);
	for (size_t i = 0; i < r->rows_n; i++) {
		struct report_field fields[REPORT_FIELDS];

		report_row_fields(&r->rows[i], fields);
		for (int j = 0; j < REPORT_FIELDS; j++) {
			strbuf_adds(out, j ? "," : "");
			add_field(out, &fields[j]);
		}
		strbuf_adds(out, "\n");
	}
}
