/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/cell/cell-format.h"
#include "harness/report/report-parts.h"

/*
 * Known-answer loads in the text report: what they weigh, and two matrices that set each metric against what
 * it must say of them and against what they weigh.
 */

/* A metric's name and a column for each kind stay within 110 characters. */
#define NAME_WIDTH  24
#define CELL_WIDTH  7
#define COLUMNS_MAX 11

/* The column with the name and size of a load. */
#define LOAD_WIDTH 20

/*
 * As near as this is right. A process that does nothing has some hundred KiB, and a snapshot is taken while
 * the guest still lives: 1 MiB; of numbers that are sums of thousands of pages 1 % besides. Zeq is uncertain
 * by a step of the ballast more.
 */
#define RIGHT_KIB 1024.0
#define RIGHT_PCT 1.0

/* The known-answer cells of one guest, as the first of their rows. */
struct column {
	struct known_spec spec;
	const struct report_row *rows; /* one a metric */
};

static bool is_within(double y_kib, double z_kib, double allowed_kib)
{
	return fabs(y_kib - z_kib) <= allowed_kib + RIGHT_PCT / 100 * fabs(z_kib);
}

/* "+3.2=" in CELL_WIDTH columns, the last one being for the mark. */
static void add_difference(struct strbuf *out, double y_kib, double z_kib, double allowed_kib)
{
	double mib = (y_kib - z_kib) / 1024;
	char number[32], text[40];

	/* Decimals of large ones would tell nothing, and columns would touch. */
	if (!*format_fixed(number, mib, fabs(mib) < 99.95 ? 1 : 0)) {
		strbuf_addf(out, "%*s ", CELL_WIDTH - 1, "-");
		return;
	}
	snprintf(text, sizeof(text), "%s%s", number[0] == '-' ? "" : "+", number);
	strbuf_addf(out, "%*s%c", CELL_WIDTH - 1, text, is_within(y_kib, z_kib, allowed_kib) ? '=' : ' ');
}

/* The two lines of a column's heading: "file" over "clean", a long word in two halves. */
static void split_name(const char *name, char top[CELL_WIDTH + 1], char bottom[CELL_WIDTH + 1])
{
	const char *hyphen = strchr(name, '-');
	size_t first = hyphen ? (size_t)(hyphen - name) : strlen(name) < CELL_WIDTH ? 0 : strlen(name) / 2;

	snprintf(top, CELL_WIDTH + 1, "%.*s", (int)first, name);
	snprintf(bottom, CELL_WIDTH + 1, "%s", name + first + (hyphen != NULL));
}

static void add_matrix_head(struct strbuf *out, const struct column *columns, size_t n)
{
	char names[COLUMNS_MAX][2][CELL_WIDTH + 1];

	for (size_t i = 0; i < n; i++)
		split_name(known_kind_name(columns[i].spec.kind), names[i][0], names[i][1]);
	for (int line = 0; line < 2; line++) {
		strbuf_addf(out, "  %-*s", NAME_WIDTH, line ? "metric" : "");
		for (size_t i = 0; i < n; i++)
			strbuf_addf(out, "%*s", CELL_WIDTH, names[i][line]);
		table_end_line(out, "");
	}
}

static void add_matrix(struct strbuf *out, const struct report *r, const struct column *columns, size_t n,
		       bool is_expected)
{
	add_matrix_head(out, columns, n);
	for (size_t m = 0; m < r->metrics_n; m++) {
		strbuf_addf(out, "  %-*s", NAME_WIDTH, columns[0].rows[m].metric);
		for (size_t i = 0; i < n; i++) {
			const struct report_row *row = &columns[i].rows[m];

			add_difference(out, row->y_kib, is_expected ? row->expected_kib : row->z.kib,
				       RIGHT_KIB + (is_expected ? 0 : row->z.resolution_kib));
		}
		table_end_line(out, "");
	}
}

/* What a load is, what it must weigh, and what it was seen to. */
static void add_weight(struct strbuf *out, const struct column *column)
{
	const struct report_row *row = column->rows;
	double weight_kib = (double)known_weight_kib(&column->spec);
	char name[32];

	snprintf(name, sizeof(name), "%s %.8s", known_kind_name(column->spec.kind), row->cell->size);
	strbuf_addf(out, "  %-*s%7s%8s  %-16s", LOAD_WIDTH, name, MIB_TEXT(weight_kib), MIB_TEXT(row->z.kib),
		    MIB_RANGE_TEXT(row->z.lo_kib, row->z.hi_kib));
	add_difference(out, row->z.kib, weight_kib, RIGHT_KIB + row->z.resolution_kib);
	strbuf_addf(out, " %s", known_kind_summary(column->spec.kind));
	table_end_line(out, "");
}

static void add_weights(struct strbuf *out, const struct column *columns, size_t n)
{
	strbuf_addf(out, "  %-*s%7s%8s  %-16s%6s\n", LOAD_WIDTH, "load", "weighs", "Zeq", "range", "off");
	for (size_t i = 0; i < n; i++)
		add_weight(out, &columns[i]);
}

/* The known-answer cells of a threshold's guest. */
static size_t find_columns(const struct report *r, const struct report_threshold *t, struct column *columns)
{
	size_t n = 0;

	for (size_t i = 0; i < r->rows_n; i += r->metrics_n) {
		struct column column = { .rows = &r->rows[i] };

		if (r->rows[i].threshold == t && cell_known(r->rows[i].cell, &column.spec))
			columns[n++] = column;
	}
	return n;
}

static void add_guest(struct strbuf *out, const struct report *r, const struct report_threshold *t,
		      const struct column *columns, size_t n)
{
	cleanup_strbuf struct strbuf varying = STRBUF_INIT;

	format_varying(&varying, t->cell, r->cells, r->cells_n);
	strbuf_addf(out, "\nKnown answers at X = %u MiB%s, in MiB\n\n", t->cell->x_mib, strbuf_str(&varying));
	add_weights(out, columns, n);
	for (size_t i = 0; i < n; i += COLUMNS_MAX) {
		size_t some = n - i < COLUMNS_MAX ? n - i : COLUMNS_MAX;

		strbuf_adds(out, "\n  Y - what the metric must say of the load\n");
		add_matrix(out, r, &columns[i], some, true);
		strbuf_adds(out, "\n  Y - Zeq\n");
		add_matrix(out, r, &columns[i], some, false);
	}
}

/* The first known-answer cell; NULL when there is none. */
static const struct cell *find_known(const struct report *r)
{
	struct known_spec spec;

	for (size_t i = 0; i < r->cells_n; i++)
		if (cell_known(&r->cells[i], &spec))
			return &r->cells[i];
	return NULL;
}

bool report_has_known(const struct report *r)
{
	return find_known(r) != NULL;
}

void report_known_text(const struct report *r, struct strbuf *out)
{
	cleanup_free struct column *columns = xcalloc(r->cells_n, sizeof(*columns));
	char step[32];

	if (!report_has_known(r) || !r->rows_n)
		return;
	for (size_t i = 0; i < r->thresholds_n; i++) {
		size_t n = find_columns(r, &r->thresholds[i], columns);

		if (n)
			add_guest(out, r, &r->thresholds[i], columns, n);
	}
	format_fixed(step, (RIGHT_KIB + report_ramp_step_kib(find_known(r))) / 1024, 1);
	strbuf_addf(
		out,
		"\nweighs: what the load takes of the guest by its construction. Zeq: by how much less the ballast held at\n"
		"onset beside it than alone. Y: what the metric says of the load, before the ballast came. =: right, within\n"
		"1 MiB and 1 %%; beside Zeq within %s MiB and 1 %%, which takes in a tick of the ballast. -: no value.\n",
		step);
}

/* Views with an ideal snapshot for each known-answer cell, whose id is the cell's index + 1. */
static struct views *ideal_views(const struct report *r)
{
	struct views *v = views_create(VIEWS_ALL);
	struct known_spec spec;

	for (size_t i = 0; i < r->cells_n; i++)
		if (cell_known(&r->cells[i], &spec))
			known_add_ideal(v, (int64_t)i + 1, &spec);
	return v;
}

/* What one metric must say, into the rows of its place among each cell's. */
static struct err *expect(struct report *r, struct query *q, const struct metric *metric, size_t m)
{
	cleanup_free struct metric_value *values = NULL;
	size_t n;
	struct err *e = query_metric(q, metric, &values, &n);

	for (size_t i = 0; !e && i < n; i++)
		if (values[i].snapshot_id >= 1 && (uint64_t)values[i].snapshot_id <= r->cells_n)
			report_rows_of(r, &r->cells[values[i].snapshot_id - 1])[m].expected_kib =
				values[i].y_kib;
	return e;
}

struct err *report_known_expect(struct report *r)
{
	if (!report_has_known(r))
		return NULL;

	cleanup(cleanup_views_) struct views *views = ideal_views(r);
	cleanup(cleanup_query_) struct query *q = NULL;
	struct err *e = query_open(views, &q);

	for (size_t i = 0; !e && i < r->metrics_n; i++)
		e = expect(r, q, &r->metrics[i], i);
	return e;
}
