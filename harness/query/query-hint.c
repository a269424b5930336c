/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/query/query-hint.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "calibrate/evidence/views.h"
#include "harness/base/alloc.h"
#include "harness/base/strbuf.h"

/* More are no help. */
#define SUGGESTIONS_MAX 5

/* No name is longer; what is, is like none. */
#define NAME_MAX_LEN 63

/* --- Words of SQL */

static bool is_word_byte(char c)
{
	/* SQLite takes every byte above ASCII for a letter. */
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       (c & 0x80);
}

/* What follows a comment or a string that begins at p; NULL when none does. */
static const char *skip_text(const char *p)
{
	const char *end;

	if (strncmp(p, "--", 2) == 0)
		return p + strcspn(p, "\n");
	if (strncmp(p, "/*", 2) == 0) {
		end = strstr(p + 2, "*/");
		return end ? end + 2 : p + strlen(p);
	}
	if (*p == '\'') {
		/* A doubled quote ends one string and begins the next: all the same here. */
		end = strchr(p + 1, '\'');
		return end ? end + 1 : p + strlen(p);
	}
	return NULL;
}

/* The next word at or after p, NULL at the end. */
static const char *next_word(const char *p, size_t *ret_len)
{
	while (*p) {
		const char *after = skip_text(p);

		if (after) {
			p = after;
			continue;
		}
		if (!is_word_byte(*p)) {
			p++;
			continue;
		}
		for (*ret_len = 1; is_word_byte(p[*ret_len]);)
			(*ret_len)++;
		return p;
	}
	return NULL;
}

static bool is_same(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && strncasecmp(word, name, len) == 0;
}

long query_hint_find(const char *sql, const char *word)
{
	size_t len;

	for (const char *p = sql; (p = next_word(p, &len)); p += len)
		if (is_same(p, len, word))
			return p - sql;
	return -1;
}

/* The views (VIEW_BIT()s) whose names are words of the query. */
static unsigned views_in(const char *sql)
{
	unsigned set = 0;

	for (enum view view = 0; view < VIEW_COUNT; view++)
		if (query_hint_find(sql, view_name(view)) >= 0)
			set |= VIEW_BIT(view);
	return set;
}

/* --- How alike two names are */

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/*
 * The edits that make b of a: a letter put in, left out, changed, or swapped with its neighbour (the optimal
 * string alignment distance). Case does not count.
 */
static unsigned edits(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned rows[3][NAME_MAX_LEN + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *spare = before;

		before = above;
		above = row;
		row = spare;
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			bool differ = lower(a[i - 1]) != lower(b[j - 1]);

			row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + differ);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]) && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
	}
	return row[b_len];
}

/* Units that are left out are one mistake, not four. */
static unsigned distance(const char *wrong, const char *name)
{
	static const char unit[] = "_kib";
	size_t unit_len = sizeof(unit) - 1, wrong_len = strlen(wrong), len = strlen(name);

	if (wrong_len > NAME_MAX_LEN || len > NAME_MAX_LEN)
		return UINT32_MAX;

	unsigned whole = edits(wrong, wrong_len, name, len);

	if (len <= unit_len || strcmp(name + len - unit_len, unit) != 0)
		return whole;

	unsigned without = edits(wrong, wrong_len, name, len - unit_len) + 1;

	return without < whole ? without : whole;
}

/* A quarter of the letters and one more may be wrong, but not all: short names are all alike. */
static bool is_near(const char *wrong, unsigned d)
{
	size_t len = strlen(wrong);

	return d <= 1 + len / 4 && d < len;
}

/* --- Names that could have been meant */

struct candidate {
	const char *name;
	unsigned views; /* which have it */
	unsigned distance;
	bool is_asked;  /* one of the views is in the query */
	unsigned order; /* qsort() does not keep the views' own order */
};

struct candidates {
	struct candidate *v;
	size_t n, cap;
};

static void add_candidate(struct candidates *list, const char *wrong, const char *name, enum view view,
			  unsigned asked)
{
	struct candidate *c = NULL;

	for (size_t i = 0; i < list->n && !c; i++)
		if (strcmp(list->v[i].name, name) == 0)
			c = &list->v[i];
	if (!c) {
		c = array_push(list->v, list->n, list->cap);
		c->name = name;
		c->distance = distance(wrong, name);
		c->order = (unsigned)list->n;
	}
	c->views |= VIEW_BIT(view);
	c->is_asked |= (asked & VIEW_BIT(view)) != 0;
}

static int by_likeness(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->distance != y->distance)
		return x->distance < y->distance ? -1 : 1;
	if (x->is_asked != y->is_asked)
		return x->is_asked ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void add_views(struct strbuf *sb, unsigned set)
{
	const char *separator = "";

	for (enum view view = 0; view < VIEW_COUNT; view++) {
		if (!(set & VIEW_BIT(view)))
			continue;
		strbuf_addf(sb, "%s%s", separator, view_name(view));
		separator = ", ";
	}
}

/* The nearest candidates; false when none is near. */
static bool add_nearest(struct strbuf *sb, struct candidates *list, const char *wrong, bool with_views)
{
	size_t n = 0;

	for (; n < list->n && n < SUGGESTIONS_MAX && is_near(wrong, list->v[n].distance); n++) {
		strbuf_adds(sb, n ? ", " : "; did you mean ");
		strbuf_adds(sb, list->v[n].name);
		if (!with_views)
			continue;
		strbuf_adds(sb, " (");
		add_views(sb, list->v[n].views);
		strbuf_adds(sb, ")");
	}
	if (n)
		strbuf_adds(sb, "?");
	return n;
}

static void add_columns(struct strbuf *sb, enum view view)
{
	size_t n;
	const struct view_column *columns = view_columns(view, &n);

	strbuf_addf(sb, "; %s has the columns ", view_name(view));
	for (size_t i = 0; i < n; i++)
		strbuf_addf(sb, "%s%s", i ? ", " : "", columns[i].name);
}

static void add_all(struct strbuf *sb, unsigned asked)
{
	for (enum view view = 0; view < VIEW_COUNT; view++)
		if (asked & VIEW_BIT(view))
			add_columns(sb, view);
	if (asked)
		return;
	strbuf_adds(sb, "; the views are ");
	add_views(sb, VIEWS_ALL);
}

static void sort_candidates(struct candidates *list)
{
	if (list->n)
		qsort(list->v, list->n, sizeof(*list->v), by_likeness);
}

static struct candidates column_candidates(const char *name, unsigned asked)
{
	struct candidates list = { 0 };

	for (enum view view = 0; view < VIEW_COUNT; view++) {
		size_t n;
		const struct view_column *columns = view_columns(view, &n);

		for (size_t i = 0; i < n; i++)
			add_candidate(&list, name, columns[i].name, view, asked);
	}
	sort_candidates(&list);
	return list;
}

char *query_hint_column(const char *sql, const char *name)
{
	struct strbuf sb = STRBUF_INIT;
	const char *dot = strrchr(name, '.'), *bare = dot ? dot + 1 : name;
	unsigned asked = views_in(sql);
	struct candidates list = column_candidates(bare, asked);

	if (list.n && list.v[0].distance == 0) {
		strbuf_adds(&sb, "; it is a column of ");
		add_views(&sb, list.v[0].views);
	} else if (!add_nearest(&sb, &list, bare, true)) {
		add_all(&sb, asked);
	}
	free(list.v);
	return strbuf_steal(&sb);
}

char *query_hint_view(const char *name)
{
	struct strbuf sb = STRBUF_INIT;
	struct candidates list = { 0 };

	for (enum view view = 0; view < VIEW_COUNT; view++)
		add_candidate(&list, name, view_name(view), view, 0);
	sort_candidates(&list);
	if (!add_nearest(&sb, &list, name, false))
		add_all(&sb, 0);
	free(list.v);
	return strbuf_steal(&sb);
}
