/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/compare/pairs.h"

#include <csv.h>
#include <math.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/format.h"
#include "harness/base/strbuf.h"

/* How many bytes of a field, and how many names, an error quotes: enough to find the place. */
#define QUOTE_MAX 40
#define NAMES_MAX 12

/* Appends the text in quotation marks, cleaned and not too long. */
static void add_quoted(struct strbuf *out, const char *text)
{
	size_t len = strnlen(text, QUOTE_MAX + 1);
	bool is_cut = len > QUOTE_MAX;

	/* Not in the middle of a character. */
	for (len -= is_cut; is_cut && len && ((unsigned char)text[len] & 0xc0) == 0x80;)
		len--;

	cleanup_free char *part = xmemdup0(text, len);

	strbuf_adds(out, "'");
	format_clean(out, part);
	strbuf_adds(out, is_cut ? "...'" : "'");
}

/* Is the whole text a number as strtod() takes it: also "nan", "inf" and hexadecimal? */
static bool parse(const char *text, double *ret)
{
	char *end;

	*ret = strtod(text, &end);
	return end != text && !*end;
}

/* Why a text is no number, and what to do about it. */
static const char *why_no_number(const char *text)
{
	double v;

	if (parse(text, &v))
		return isfinite(v) ? "is hexadecimal; write it in decimal"
				   : "is not finite; leave the row out";
	if (strchr(text, ','))
		return "is no number; the decimal sign is a point, as in 1.5";
	return "is no number; write it as in 12.5 or 1e3, or leave the row out";
}

static struct err *parse_number(const char *column, const char *text, double *ret)
{
	double v;

	if (!*text)
		return err_new("%s: the value is missing; give it, or leave the row out", column);

	cleanup_strbuf struct strbuf what = STRBUF_INIT;

	add_quoted(&what, text);
	if (text[strspn(text, "0123456789+-.eE")] || !parse(text, &v))
		return err_new("%s: %s %s", column, what.data, why_no_number(text));
	if (fabs(v) > PAIRS_NUMBER_MAX)
		return err_new("%s: %s is out of range; use a larger unit", column, what.data);
	/* A number that is not 0 but too small for strtod() has a digit other than 0 before its exponent. */
	if (fabs(v) < PAIRS_NUMBER_MIN && strcspn(text, "123456789") < strcspn(text, "eE"))
		return err_new("%s: %s is out of range; use a smaller unit", column, what.data);
	*ret = v;
	return NULL;
}

/* What to do when a wrong separator made one field of several; NULL when that is not the trouble. */
static const char *separator_hint(const char *const *fields, size_t n)
{
	static const struct {
		char separator;
		const char *hint;
	} hints[] = {
		{ ';', "the separator seems to be ';', and has to be a comma" },
		{ '\t', "the separator seems to be a tab, and has to be a comma" },
		{ '|', "the separator seems to be '|', and has to be a comma" },
	};

	for (size_t i = 0; n == 1 && i < sizeof(hints) / sizeof(*hints); i++)
		if (strchr(fields[0], hints[i].separator))
			return hints[i].hint;
	return NULL;
}

static struct err *count_error(const char *const *fields, size_t n, size_t columns)
{
	const char *hint = separator_hint(fields, n);

	if (n > columns)
		hint = "decimal signs have to be points, and text with a comma needs quotation marks around it";
	return err_new("too %s fields: %zu where the header has %zu; %s", n > columns ? "many" : "few", n,
		       columns, hint ? hint : "give what is missing, or leave the row out");
}

static void add_names(struct strbuf *out, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n && i < NAMES_MAX; i++) {
		strbuf_adds(out, i ? ", " : "");
		add_quoted(out, names[i]);
	}
	if (n > NAMES_MAX)
		strbuf_addf(out, " and %zu more", n - NAMES_MAX);
}

/* Do all names look like numbers? Then it is a row of data. */
static bool are_numbers(const char *const *names, size_t n)
{
	double v;

	for (size_t i = 0; i < n; i++)
		if (!parse(names[i], &v))
			return false;
	return true;
}

static struct err *missing_error(const char *column, const char *const *names, size_t n)
{
	cleanup_strbuf struct strbuf list = STRBUF_INIT;
	const char *hint = separator_hint(names, n);

	add_names(&list, names, n);
	for (size_t i = 0; !hint && i < n; i++)
		if (strcasecmp(names[i], column) == 0)
			return err_new("no column '%s' but %s: write '%s', small", column, list.data, column);
	if (!hint)
		hint = are_numbers(names, n) ? "a line of names such as z,y has to come first"
					     : "rename the one that is meant";
	return err_new("no column '%s' but %s: %s", column, list.data, hint);
}

/* Where the columns are in each row. */
struct columns {
	size_t n; /* of the header; a row must have as many fields */
	size_t z, y;
	size_t cluster;   /* NO_COLUMN: each row counts by itself */
	const char *unit; /* the name of that column */
};

#define NO_COLUMN ((size_t)-1)

static struct err *find(const char *column, const char *const *names, size_t n, size_t *ret)
{
	*ret = NO_COLUMN;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], column) != 0)
			continue;
		if (*ret != NO_COLUMN)
			return err_new("column '%s' is there twice; rename one", column);
		*ret = i;
	}
	return NULL;
}

/* A cluster is the larger unit: where there are both, cells are parts of it. */
static struct err *find_unit(const char *const *names, size_t n, struct columns *ret)
{
	static const char *const units[] = { "cluster", "cell", "pair" };
	struct err *e = NULL;

	ret->cluster = NO_COLUMN;
	for (size_t i = 0; !e && i < 3 && ret->cluster == NO_COLUMN; i++) {
		ret->unit = units[i];
		e = i < 2 ? find(units[i], names, n, &ret->cluster) : NULL;
	}
	return e;
}

/* The columns of a header with these names. */
static struct err *find_columns(const char *const *names, size_t n, struct columns *ret)
{
	struct err *e = find("z", names, n, &ret->z);

	ret->n = n;
	if (!e)
		e = find("y", names, n, &ret->y);
	if (!e)
		e = find_unit(names, n, ret);
	if (!e && ret->z == NO_COLUMN)
		e = missing_error("z", names, n);
	if (!e && ret->y == NO_COLUMN)
		e = missing_error("y", names, n);
	return e;
}

/* libcsv gets so many bytes at a time, so that a field that is too long is noticed early. */
#define FEED_MAX 4096

struct field {
	size_t start; /* in the row's text */
	size_t line;  /* that the field begins on */
};

/* A row: its fields' texts, each with a NUL. */
struct row {
	struct strbuf text;
	struct field fields[PAIRS_COLUMNS_MAX];
	const char *list[PAIRS_COLUMNS_MAX]; /* the texts as pointers; made when the row is complete */
	size_t n;
};

/* A node of the tree of clusters. */
struct cluster_node {
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
	struct columns columns;
	void *clusters; /* tree of struct cluster_node */
	struct pairs pairs;
	size_t cap;
	struct err *e; /* the first; libcsv calls back regardless */
};

static struct err *at(const struct reader *r, size_t line, struct err *e)
{
	return err_wrap(e, "%s:%zu", r->name, line);
}

static int compare_clusters(const void *a, const void *b)
{
	return strcmp(((const struct cluster_node *)a)->name, ((const struct cluster_node *)b)->name);
}

/* The number of the cluster of that name, which gets one when it is new. */
static size_t cluster_index(struct reader *r, const char *name)
{
	size_t len = strlen(name);
	cleanup_free struct cluster_node *cluster = xmalloc(sizeof(*cluster) + len + 1);

	memcpy(cluster->name, name, len + 1);

	struct cluster_node **found = tsearch(cluster, &r->clusters, compare_clusters);

	if (!found)
		abort(); /* out of memory */
	if (*found != cluster)
		return (*found)->index;
	cluster->index = r->pairs.clusters++;
	return take_ptr(cluster)->index;
}

/* A row of data, with as many fields as there are columns. */
static struct err *take_pair(struct reader *r)
{
	const struct columns *c = &r->columns;
	const struct row *row = &r->row;
	bool has_clusters = c->cluster != NO_COLUMN;
	struct agreement_pair pair = { .cluster = r->pairs.n };
	struct err *e = at(r, row->fields[c->z].line, parse_number("z", row->list[c->z], &pair.z));

	if (!e)
		e = at(r, row->fields[c->y].line, parse_number("y", row->list[c->y], &pair.y));
	if (e)
		return e;
	if (has_clusters && !*row->list[c->cluster])
		return at(r, row->fields[c->cluster].line,
			  err_new("%s: the value is missing; give it, or leave the row out", c->unit));
	if (r->pairs.n == PAIRS_ROWS_MAX)
		return at(r, row->fields[0].line,
			  err_new("too many rows: more than %d; compare a part of them", PAIRS_ROWS_MAX));
	if (has_clusters)
		pair.cluster = cluster_index(r, row->list[c->cluster]);
	else
		r->pairs.clusters++;
	*array_push(r->pairs.pairs, r->pairs.n, r->cap) = pair;
	return NULL;
}

static struct err *take_row(struct reader *r)
{
	struct row *row = &r->row;
	struct err *e;

	for (size_t i = 0; i < row->n; i++)
		row->list[i] = row->text.data + row->fields[i].start;
	if (r->has_header && row->n != r->columns.n)
		return at(r, row->fields[0].line, count_error(row->list, row->n, r->columns.n));
	if (r->has_header)
		return take_pair(r);
	e = at(r, row->fields[0].line, find_columns(row->list, row->n, &r->columns));
	r->has_header = !e;
	r->pairs.unit = r->columns.unit;
	return e;
}

/* libcsv has a field. */
static void on_field(void *data, size_t len, void *arg)
{
	struct reader *r = arg;

	if (r->e)
		return;
	if (r->row.n == PAIRS_COLUMNS_MAX) {
		r->e = at(r, r->line,
			  err_new("more than %d columns; leave out those that are not needed",
				  PAIRS_COLUMNS_MAX));
		return;
	}
	r->row.fields[r->row.n++] = (struct field){ .start = r->row.text.len, .line = r->field_line };
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
	/* A strict parser can complain of nothing else: it never runs out of memory. */
	if (csv_parse(&r->csv, data, len, on_field, on_row, r) != len && !r->e)
		return at(
			r, r->line,
			err_new("a quotation mark in the middle of a field; put the field in quotation marks, and write those in it twice"));
	if (!r->e && csv_get_buffer_size(&r->csv) > PAIRS_FIELD_MAX)
		return at(r, r->field_line,
			  err_new("a field of more than %d bytes; is a quotation mark missing at its end?",
				  PAIRS_FIELD_MAX));
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
			return at(r, r->line,
				  err_new("a NUL byte: this is no text; save it as CSV in UTF-8"));
		e = read_line(r, data, n);
		data += n;
		len -= n;
	}
	if (e)
		return e;
	/* The last line may have no end. */
	if (csv_fini(&r->csv, on_field, on_row, r) && !r->e)
		return at(r, r->field_line,
			  err_new("a quotation mark that is never closed; add the other one"));
	return take_ptr(r->e);
}

static struct err *check_rows(const struct reader *r)
{
	if (!r->line)
		return at(r, 1, err_new("the file is empty; its first line has to be z,y"));
	if (!r->has_header)
		return at(r, r->line, err_new("no columns but blank lines and comments; add a line z,y"));
	if (r->pairs.n < PAIRS_ROWS_MIN)
		return at(r, r->line,
			  err_new("too few rows: %zu of data; at least %d are needed", r->pairs.n,
				  PAIRS_ROWS_MIN));
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
	strbuf_deinit(&r->row.text);
	tdestroy(r->clusters, free);
	return e ? e : check_rows(r);
}

const char *pairs_name(const char *path)
{
	return strcmp(path, "-") == 0 ? "standard input" : path;
}

struct err *pairs_load(const char *path, struct pairs *ret)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT, name = STRBUF_INIT;
	struct reader r = { 0 };
	struct err *e = strcmp(path, "-") == 0
				? file_read_fd(STDIN_FILENO, pairs_name(path), PAIRS_FILE_MAX, &text)
				: file_read(path, PAIRS_FILE_MAX, &text);

	format_clean(&name, pairs_name(path));
	r.name = strbuf_str(&name);
	if (!e)
		e = read_text(&r, strbuf_str(&text), text.len);
	if (e) {
		pairs_deinit(&r.pairs);
		/* An interrupt is no mistake of the user; all else is. */
		return err_get_kind(e) == ERR_INTERRUPTED ? e : err_set_kind(e, ERR_USAGE);
	}
	*ret = r.pairs;
	return NULL;
}

void pairs_deinit(struct pairs *p)
{
	free(p->pairs);
	*p = (struct pairs){ 0 };
}
