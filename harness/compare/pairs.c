/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/compare/pairs.h"

#include <csv.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/format.h"
#include "harness/base/strbuf.h"
#include "harness/compare/pairs-internal.h"
#include "harness/cell/cell-format.h"

/* At a time into libcsv: a field that is too long must not be taken in whole before that is seen. */
#define FEED_MAX 4096

struct field {
	size_t start; /* in the row's text */
	size_t line;  /* that the field begins on */
};

/* A row: its fields' texts, each with a NUL. */
struct row {
	struct strbuf text;
	struct field *fields;
	size_t n, cap;
	const char **list; /* the texts as pointers; made when the row is complete */
	size_t list_cap;
};

/* A node of the tree of cells. */
struct cell_node {
	size_t index;
	char name[];
};

struct reader {
	const char *name;  /* of the file, for errors */
	size_t line;       /* that is being read */
	size_t field_line; /* that the next field begins on */
	bool is_in_row;    /* after a line: a quoted field goes on */
	struct csv_parser csv;
	struct row row;
	bool has_header;
	struct pairs_columns columns;
	void *cells; /* tree of struct cell_node */
	struct pairs pairs;
	size_t cap;
	struct err *e; /* the first; libcsv calls back regardless */
};

static struct err *at(const struct reader *r, size_t line, struct err *e)
{
	return err_wrap(e, "%s:%zu", r->name, line);
}

static int compare_cells(const void *a, const void *b)
{
	return strcmp(((const struct cell_node *)a)->name, ((const struct cell_node *)b)->name);
}

/* The number of the cell of that name, which gets one when it is new. */
static size_t cell_index(struct reader *r, const char *name)
{
	size_t len = strlen(name);
	cleanup_free struct cell_node *cell = xmalloc(sizeof(*cell) + len + 1);

	memcpy(cell->name, name, len + 1);

	struct cell_node **found = tsearch(cell, &r->cells, compare_cells);

	if (!found)
		abort(); /* out of memory */
	if (*found != cell)
		return (*found)->index;
	cell->index = r->pairs.cells++;
	return take_ptr(cell)->index;
}

/* A row of data, with as many fields as there are columns. */
static struct err *take_pair(struct reader *r)
{
	const struct pairs_columns *c = &r->columns;
	const struct row *row = &r->row;
	struct agreement_pair pair = { .cell = r->pairs.n };
	struct err *e = at(r, row->fields[c->z].line, pairs_number("z", row->list[c->z], &pair.z));

	if (!e)
		e = at(r, row->fields[c->y].line, pairs_number("y", row->list[c->y], &pair.y));
	if (e)
		return e;
	if (r->pairs.has_cells && !*row->list[c->cell])
		return err_new_kind(ERR_USAGE,
				    "%s:%zu: cell: the value is missing; give it, or leave the row out",
				    r->name, row->fields[c->cell].line);
	if (r->pairs.n == PAIRS_ROWS_MAX)
		return err_new_kind(ERR_USAGE, "%s:%zu: too many rows: more than %d; compare a part of them",
				    r->name, row->fields[0].line, PAIRS_ROWS_MAX);
	if (r->pairs.has_cells)
		pair.cell = cell_index(r, row->list[c->cell]);
	*array_push(r->pairs.pairs, r->pairs.n, r->cap) = pair;
	return NULL;
}

/* Points list[] at the texts, which do not move any more. */
static void make_list(struct row *row)
{
	if (row->list_cap < row->n) {
		row->list = xreallocarray(row->list, row->n, sizeof(*row->list));
		row->list_cap = row->n;
	}
	for (size_t i = 0; i < row->n; i++)
		row->list[i] = row->text.data + row->fields[i].start;
}

static struct err *take_row(struct reader *r)
{
	struct row *row = &r->row;
	struct err *e;

	make_list(row);
	if (r->has_header && row->n != r->columns.n)
		return at(r, row->fields[0].line, pairs_count_error(row->list, row->n, r->columns.n));
	if (r->has_header)
		return take_pair(r);
	e = at(r, row->fields[0].line, pairs_find_columns(row->list, row->n, &r->columns));
	r->has_header = !e;
	r->pairs.has_cells = !e && r->columns.cell != PAIRS_NO_COLUMN;
	return e;
}

/* libcsv has a field. */
static void on_field(void *data, size_t len, void *arg)
{
	struct reader *r = arg;

	if (r->e)
		return;
	if (r->row.n == PAIRS_COLUMNS_MAX) {
		r->e = err_new_kind(ERR_USAGE,
				    "%s:%zu: more than %d columns; leave out those that are not needed",
				    r->name, r->line, PAIRS_COLUMNS_MAX);
		return;
	}
	*array_push(r->row.fields, r->row.n, r->row.cap) =
		(struct field){ .start = r->row.text.len, .line = r->field_line };
	strbuf_add(&r->row.text, data, len);
	strbuf_add(&r->row.text, "", 1);
	r->field_line = r->line;
}

/* libcsv has a line end outside of quotation marks; of CR LF it tells both. */
static void on_row(int c, void *arg)
{
	struct reader *r = arg;

	(void)c;
	if (!r->e && r->row.n)
		r->e = take_row(r);
	r->row.n = 0;
	strbuf_clear(&r->row.text);
	r->is_in_row = false;
}

static void *grow(void *p, size_t size)
{
	return xreallocarray(p, size, 1);
}

/* Gives libcsv a part of a line. */
static struct err *feed(struct reader *r, const char *data, size_t len)
{
	/* Strict, so this is all that it can complain of: it never runs out of memory. */
	if (csv_parse(&r->csv, data, len, on_field, on_row, r) != len && !r->e)
		return err_new_kind(
			ERR_USAGE,
			"%s:%zu: a quotation mark in the middle of a field; put the field in quotation "
			"marks, and write those in it twice",
			r->name, r->line);
	if (!r->e && csv_get_buffer_size(&r->csv) > PAIRS_FIELD_MAX)
		return err_new_kind(
			ERR_USAGE,
			"%s:%zu: a field of more than %d bytes; is a quotation mark missing at its end?",
			r->name, r->field_line, PAIRS_FIELD_MAX);
	return take_ptr(r->e);
}

/* One physical line with its end. */
static struct err *read_line(struct reader *r, const char *data, size_t len)
{
	struct err *e = NULL;

	if (!r->is_in_row) {
		if (*data == '#')
			return NULL;
		r->field_line = r->line;
		r->is_in_row = true;
	}
	for (size_t pos = 0; !e && pos < len; pos += FEED_MAX)
		e = feed(r, data + pos, len - pos < FEED_MAX ? len - pos : FEED_MAX);
	return e;
}

/* The length of the line at data, with its end: LF, CR LF, or CR. */
static size_t line_len(const char *data, size_t len)
{
	size_t n = 0;

	while (n < len && data[n] != '\n' && data[n] != '\r')
		n++;
	if (n + 1 < len && data[n] == '\r' && data[n + 1] == '\n')
		n++;
	return n < len ? n + 1 : len;
}

static struct err *read_lines(struct reader *r, const char *data, size_t len)
{
	struct err *e = NULL;

	while (!e && len) {
		size_t n = line_len(data, len);

		r->line++;
		if (memchr(data, '\0', n))
			return err_new_kind(ERR_USAGE,
					    "%s:%zu: a NUL byte: this is no text; save it as CSV in UTF-8",
					    r->name, r->line);
		e = read_line(r, data, n);
		data += n;
		len -= n;
	}
	if (e)
		return e;
	/* The last line may have no end. */
	if (csv_fini(&r->csv, on_field, on_row, r) && !r->e)
		return err_new_kind(ERR_USAGE,
				    "%s:%zu: a quotation mark that is never closed; add the other one",
				    r->name, r->field_line);
	return take_ptr(r->e);
}

static struct err *check_rows(const struct reader *r)
{
	if (!r->line)
		return err_new_kind(ERR_USAGE, "%s:1: the file is empty; its first line has to be z,y",
				    r->name);
	if (!r->has_header)
		return err_new_kind(ERR_USAGE,
				    "%s:%zu: no columns but blank lines and comments; add a line z,y",
				    r->name, r->line);
	if (r->pairs.n < PAIRS_ROWS_MIN)
		return err_new_kind(ERR_USAGE, "%s:%zu: too few rows: %zu of data; at least %d are needed",
				    r->name, r->line, r->pairs.n, PAIRS_ROWS_MIN);
	return NULL;
}

static struct err *read_text(struct reader *r, const char *data, size_t len)
{
	static const char bom[] = "\xef\xbb\xbf";
	size_t skip = len >= 3 && memcmp(data, bom, 3) == 0 ? 3 : 0;

	if (csv_init(&r->csv, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL))
		abort(); /* only of a NULL */
	csv_set_realloc_func(&r->csv, grow);

	struct err *e = read_lines(r, data + skip, len - skip);

	csv_free(&r->csv);
	free(r->row.fields);
	free(r->row.list);
	strbuf_deinit(&r->row.text);
	tdestroy(r->cells, free);
	return e ? e : check_rows(r);
}

const char *pairs_name(const char *path)
{
	return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* What cannot be read is the wrong file; that the user wants to stop is no mistake. */
static struct err *read_file(const char *path, struct strbuf *text)
{
	struct err *e = strcmp(path, "-") == 0
				? file_read_fd(STDIN_FILENO, pairs_name(path), PAIRS_FILE_MAX, text)
				: file_read(path, PAIRS_FILE_MAX, text);

	return e && err_get_kind(e) == ERR_INTERRUPTED ? e : err_set_kind(e, ERR_USAGE);
}

struct err *pairs_load(const char *path, struct pairs *ret)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT, name = STRBUF_INIT;
	struct reader r = { 0 };
	struct err *e = read_file(path, &text);

	if (e)
		return e;
	format_clean(&name, pairs_name(path));
	r.name = strbuf_str(&name);
	e = read_text(&r, strbuf_str(&text), text.len);
	if (e) {
		pairs_deinit(&r.pairs);
		return e;
	}
	if (!r.pairs.has_cells)
		r.pairs.cells = r.pairs.n;
	*ret = r.pairs;
	return NULL;
}

void pairs_deinit(struct pairs *p)
{
	free(p->pairs);
	*p = (struct pairs){ 0 };
}
