/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/cell/cell-format.h"
#include "harness/report/report-parts.h"

/* The rows of a report: what one metric says of one cell, beside what it is compared with. */

/* What a metric says of one probe. A population has two values, the last of them at onset. */
struct value {
	bool is_there, is_incomplete;
	int64_t snapshot_id; /* of the last value */
	double y_kib, lo_kib, hi_kib;
};

/* The values of one metric by the numbers of probes. */
static struct err *read_values(struct query *q, const struct report *r, const struct metric *metric,
			       struct value *ret)
{
	cleanup_free struct metric_value *values = NULL;
	size_t n;
	struct err *e = query_metric(q, metric, &values, &n);

	if (e)
		return e;
	for (size_t i = 0; i < r->probes_n; i++)
		ret[i] = (struct value){ .lo_kib = NAN, .hi_kib = NAN };
	for (size_t i = 0, number; i < n; i++) {
		if (!report_probe_number(r, values[i].probe_id, &number))
			continue;

		struct value *v = &ret[number];

		v->lo_kib = fmin(v->lo_kib, values[i].y_kib);
		v->hi_kib = fmax(v->hi_kib, values[i].y_kib);
		v->is_incomplete |= values[i].is_incomplete;
		if (v->is_there && values[i].snapshot_id < v->snapshot_id)
			continue;
		v->is_there = true;
		v->snapshot_id = values[i].snapshot_id;
		v->y_kib = values[i].y_kib;
	}
	return NULL;
}

static void set_y(struct report_row *row, const struct report_probes *p, const struct value *values)
{
	double sum = 0;
	bool has_any = false;

	row->y_kib = row->y_lo_kib = row->y_hi_kib = NAN;
	row->values_kib = xcalloc(p->n, sizeof(*row->values_kib));
	for (size_t i = 0; i < p->n; i++) {
		const struct value *v = &values[p->first + i];

		has_any |= p->has_y[i];
		if (!p->has_y[i] || !v->is_there)
			continue;
		flags_add(&row->flags, p->v[i].flags);
		if (v->is_incomplete)
			flags_add(&row->flags, "incomplete-evidence");
		/* The range of a population goes down to its value with one process less, when the guest did
		 * not swap yet. */
		row->y_lo_kib = fmin(row->y_lo_kib, v->lo_kib);
		row->y_hi_kib = fmax(row->y_hi_kib, v->hi_kib);
		row->values_kib[row->n++] = v->y_kib;
		sum += v->y_kib;
	}
	if (row->n)
		row->y_kib = sum / row->n;
	else
		flags_add(&row->flags, has_any ? "no-value" : "no-onset");
}

static struct report_row new_row(const struct report *r, size_t cell, const struct metric *metric)
{
	return (struct report_row){
		.cell = &r->cells[cell],
		.threshold = report_find_threshold(r, &r->cells[cell]),
		.metric = metric->name,
		.mem_total_kib = r->probes[cell].mem_total_kib,
		.mem_available0_kib = r->probes[cell].mem_available0_kib,
		.expected_kib = NAN,
		.flags = xstrdup(""),
	};
}

/* Every row with its Y. A wrong metric is found before any evidence is read. */
static struct err *build(struct store *store, struct report *r, struct value *values)
{
	cleanup(cleanup_views_) struct views *views = NULL;
	cleanup(cleanup_query_) struct query *q = NULL;
	struct err *e = NULL;
	unsigned set = 0;

	for (size_t m = 0; !e && m < r->metrics_n; m++)
		e = query_check(&r->metrics[m], &set);
	if (!e)
		e = store_views(store, STORE_JUDGED, set, &views);
	if (!e)
		e = query_open(views, &q);
	for (size_t m = 0; !e && m < r->metrics_n; m++) {
		e = read_values(q, r, &r->metrics[m], values);
		for (size_t i = 0; !e && i < r->cells_n; i++) {
			struct report_row *row = &report_rows_of(r, &r->cells[i])[m];

			*row = new_row(r, i, &r->metrics[m]);
			set_y(row, &r->probes[i], values);
		}
	}
	return e;
}

/* Sets a cell's rows against its Z; equal differences are equally good. */
static void compare(struct report_row *rows, size_t n, const struct report_z *z)
{
	double best = NAN;

	for (size_t i = 0; i < n; i++) {
		struct report_row *row = &rows[i];

		row->z = *z;
		flags_add(&row->flags, z->flags);
		if (report_is_drifting(z))
			flags_add(&row->flags, "drifting");
		if (fabs(report_closure_kib(z)) > REPORT_CLOSED_KIB)
			flags_add(&row->flags, "not-closed");
		row->diff_kib = row->y_kib - z->kib;
		/* A percentage of what may as well be nothing means nothing. */
		row->diff_pct = z->kib > z->resolution_kib ? 100 * row->diff_kib / z->kib : (double)NAN;
		best = fmin(best, fabs(row->diff_kib));
	}
	for (size_t i = 0; i < n; i++)
		rows[i].is_best = n > 1 && fabs(rows[i].diff_kib) <= best;
}

struct err *report_rows_build(struct store *store, struct report *r)
{
	cleanup_free struct value *values = xcalloc(r->probes_n, sizeof(*values));
	struct err *e;

	r->rows_n = r->cells_n * r->metrics_n;
	r->rows = xcalloc(r->rows_n, sizeof(*r->rows));
	e = build(store, r, values);
	for (size_t i = 0; !e && i < r->cells_n; i++) {
		struct report_z z = report_z_compute(r, &r->cells[i]);

		compare(report_rows_of(r, &r->cells[i]), r->metrics_n, &z);
	}
	return e;
}

struct report_row *report_rows_of(const struct report *r, const struct cell *cell)
{
	return &r->rows[(size_t)(cell - r->cells) * r->metrics_n];
}

/* The doubts that all rows of a cell share, so that they are said once; "" when there are none. */
static const char *shared_flags(const struct report_row *rows, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (strcmp(rows[i].flags, rows[0].flags) != 0)
			return "";
	return rows[0].flags;
}

/* What heads the rows of one cell. */
static void add_group_head(struct strbuf *out, const struct report *r, const struct report_row *row,
			   const char *flags)
{
	const char *z = cell_is(row->cell, METHOD_DISPLACEMENT) ? "Zeq" : "Z*";

	strbuf_addf(out, "\n  %s: ", row->cell->method);
	table_name(out, r, row->cell);
	if (cell_is(row->cell, METHOD_RAM) && isfinite(row->z.x_mib))
		strbuf_addf(out, "; swaps at X = %.1f MiB", row->z.x_mib);
	if (cell_is(row->cell, METHOD_THRESHOLD))
		strbuf_adds(out, " (control)");
	if (isfinite(row->z.kib))
		strbuf_addf(out, "; %s %s %s", z, MIB_TEXT(row->z.kib),
			    MIB_RANGE_TEXT(row->z.lo_kib, row->z.hi_kib));
	strbuf_adds(out, "\n");
	if (*flags) {
		strbuf_adds(out, "    flags: ");
		format_clean(out, flags);
		strbuf_adds(out, "\n");
	}
	strbuf_addf(out, "    metric                        Y MiB  range%19s%s MiB%8s%s %%   n\n", "Y - ", z,
		    "Y - ", z);
}

/* Is it shown as near to Z* as the best of its cell? */
static bool is_marked(const struct report_row *row, const struct report_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].is_best)
			return strcmp(MIB_TEXT(fabs(row->diff_kib)), MIB_TEXT(fabs(rows[i].diff_kib))) == 0;
	return false;
}

static void add_row(struct strbuf *out, const struct report_row *row, bool with_mark, bool with_flags)
{
	/* The range of a single value would look like precision. */
	const char *range = row->n > 1 ? MIB_RANGE_TEXT(row->y_lo_kib, row->y_hi_kib) : "-";

	strbuf_addf(out, "  %c %-24s%11s  %-18s%12s%12s%4u", with_mark ? '*' : ' ', row->metric,
		    MIB_TEXT(row->y_kib), range, NUMBER_TEXT(row->diff_kib / 1024, "+", ""),
		    NUMBER_TEXT(row->diff_pct, "+", " %"), row->n);
	table_end_line(out, with_flags ? row->flags : "");
}

void report_rows_text(const struct report *r, struct strbuf *out)
{
	size_t n = r->metrics_n;
	struct known_spec known;

	strbuf_adds(out, "\nY versus Z*, in MiB\n");
	for (size_t i = 0; i < r->rows_n; i += n) {
		const struct report_row *rows = &r->rows[i];
		const char *flags = shared_flags(rows, n);

		/* Known-answer loads have tables of their own. */
		if (cell_known(rows->cell, &known))
			continue;
		add_group_head(out, r, rows, flags);
		for (size_t j = 0; j < n; j++)
			add_row(out, &rows[j], is_marked(&rows[j], rows, n), !*flags);
	}
}

/* One value of a row, as CSV and JSON show it. */
struct field {
	const char *name;
	const char *text; /* NULL: a number */
	double number;    /* NAN: not known */
	int decimals;
};

#define FIELDS 30

static struct field text_field(const char *name, const char *text)
{
	return (struct field){ .name = name, .text = text };
}

static struct field number_field(const char *name, double number, int decimals)
{
	return (struct field){ .name = name, .number = number, .decimals = decimals };
}

/* Sizes are KiB inside, MiB outside: three decimals are finer than a page. */
static struct field mib_field(const char *name, double kib)
{
	return number_field(name, kib / 1024, 3);
}

/* All values of a row in the order of the columns. Texts live as long as the report. */
static void row_fields(const struct report_row *row, struct field fields[FIELDS])
{
	const struct cell *c = row->cell;
	const struct field all[FIELDS] = {
		text_field("cell", c->key),
		number_field("x_mib", row->z.x_mib, cell_is(c, METHOD_RAM) ? 1 : 0),
		number_field("mem_total_kib", row->mem_total_kib, 0),
		number_field("mem_available0_kib", row->mem_available0_kib, 0),
		text_field("kernel", c->kernel),
		text_field("accel", c->accel),
		number_field("swappiness", c->settings.swappiness, 0),
		text_field("thp", c->settings.thp),
		text_field("mglru", c->settings.mglru ? "true" : "false"),
		text_field("method", c->method),
		text_field("workload", c->workload),
		text_field("interpreter", c->interpreter),
		number_field("processes", c->processes, 0),
		text_field("launch", c->launch),
		text_field("size", c->size),
		text_field("metric", row->metric),
		mib_field("y_mib", row->y_kib),
		mib_field("y_lo_mib", row->y_lo_kib),
		mib_field("y_hi_mib", row->y_hi_kib),
		mib_field("z_mib", row->z.kib),
		mib_field("z_lo_mib", row->z.lo_kib),
		mib_field("z_hi_mib", row->z.hi_kib),
		mib_field("diff_mib", row->diff_kib),
		number_field("diff_pct", row->diff_pct, 2),
		number_field("n", row->n, 0),
		text_field("flags", row->flags),
		mib_field("drift_mib", row->z.drift_kib),
		mib_field("closure_mib", report_closure_kib(&row->z)),
		text_field("lru", c->settings.lru),
		text_field("weighing", c->weighing),
	};

	memcpy(fields, all, sizeof(all));
}

static void add_field(struct strbuf *out, const struct field *f)
{
	if (!f->text)
		strbuf_adds(out, format_fixed((char[32]){ 0 }, f->number, f->decimals));
	else if (strcmp(f->name, "cell") == 0)
		strbuf_addf(out, "%.12s", f->text);
	else
		format_csv(out, f->text);
}

/* The names of the columns, from the fields of an empty row. */
static void add_header(struct strbuf *out)
{
	struct cell nothing = { 0 };
	const struct report_row row = { .cell = &nothing, .metric = "", .flags = (char *)"" };
	struct field fields[FIELDS];

	/* A cell without an identity says nothing. */
	err_free(cell_decode(&nothing));
	row_fields(&row, fields);
	for (int i = 0; i < FIELDS; i++)
		strbuf_addf(out, "%s%s", i ? "," : "", fields[i].name);
	strbuf_adds(out, "\n");
}

void report_csv(const struct report *r, struct strbuf *out)
{
	add_header(out);
	for (size_t i = 0; i < r->rows_n; i++) {
		struct field fields[FIELDS];

		row_fields(&r->rows[i], fields);
		for (int j = 0; j < FIELDS; j++) {
			strbuf_adds(out, j ? "," : "");
			add_field(out, &fields[j]);
		}
		strbuf_adds(out, "\n");
	}
}

static json_t *row_json(const struct report *r, size_t n)
{
	const struct report_row *row = &r->rows[n];
	json_t *object = json_object();
	struct field fields[FIELDS];

	row_fields(row, fields);
	for (int i = 0; i < FIELDS; i++) {
		const struct field *f = &fields[i];

		json_object_set_new(object, f->name,
				    f->text ? format_json_string(f->text)
					    : format_json_fixed(f->number, f->decimals));
	}
	json_object_set_new(object, "cell", members_cell_id(row->cell));
	json_object_set_new(object, "mglru", json_boolean(row->cell->settings.mglru));
	members_set_flags(object, row->flags);
	json_object_set_new(object, "is_best", json_boolean(row->is_best));
	members_set_mib(object, "expected_mib", row->expected_kib);
	return object;
}

json_t *report_rows_json(const struct report *r)
{
	return members_array(r, r->rows_n, row_json);
}
