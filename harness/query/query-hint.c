/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/query/query-hint.h"

#include <ctype.h>
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

/* SQLite takes every byte above ASCII for a letter. */
static bool is_word_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (c & 0x80);
}

/* What follows the word, comment or string, or else the byte, that p begins with. */
static const char *skip_token(const char *p)
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
	for (end = p + 1; is_word_byte(*p) && is_word_byte(*end);)
		end++;
	return end;
}

long query_hint_find(const char *sql, const char *word)
{
	const char *end;

	for (const char *p = sql; *p; p = end) {
		end = skip_token(p);
		if (strlen(word) == (size_t)(end - p) && strncasecmp(p, word, strlen(word)) == 0)
			return p - sql;
	}
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

static bool is_same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
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
			row[j] = min3(above[j] + 1, row[j - 1] + 1,
				      above[j - 1] + !is_same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && is_same(a[i - 1], b[j - 2]) && is_same(a[i - 2], b[j - 1]) &&
			    before[j - 2] + 1 < row[j])
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
	bool is_asked; /* one of the views is in the query */
	bool is_told;
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
	}
	c->views |= VIEW_BIT(view);
	c->is_asked |= (asked & VIEW_BIT(view)) != 0;
}

/* The nearest that is not told yet, of those as near the first that is asked; NULL when none is near. */
static struct candidate *next_nearest(struct candidates *list, const char *wrong)
{
	struct candidate *best = NULL;

	for (struct candidate *c = list->v; c < list->v + list->n; c++)
		if (!c->is_told && (!best || c->distance < best->distance ||
				    (c->distance == best->distance && c->is_asked && !best->is_asked)))
			best = c;
	return best && is_near(wrong, best->distance) ? best : NULL;
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

/* The nearest candidates, columns with their views; false when none is near. */
static bool add_nearest(struct strbuf *sb, struct candidates *list, const char *wrong, bool are_columns)
{
	struct candidate *c;
	size_t n = 0;

	for (; n < SUGGESTIONS_MAX && (c = next_nearest(list, wrong)); n++) {
		c->is_told = true;
		if (are_columns && c->distance == 0) {
			strbuf_adds(sb, "; it is a column of ");
			add_views(sb, c->views);
			return true;
		}
		strbuf_addf(sb, "%s%s", n ? ", " : "; did you mean ", c->name);
		if (!are_columns)
			continue;
		strbuf_adds(sb, " (");
		add_views(sb, c->views);
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

char *query_hint_column(const char *sql, const char *name)
{
	struct strbuf sb = STRBUF_INIT;
	const char *dot = strrchr(name, '.'), *bare = dot ? dot + 1 : name;
	unsigned asked = views_in(sql);
	struct candidates list = { 0 };

	for (enum view view = 0; view < VIEW_COUNT; view++) {
		size_t n;
		const struct view_column *columns = view_columns(view, &n);

		for (size_t i = 0; i < n; i++)
			add_candidate(&list, bare, columns[i].name, view, asked);
	}
	if (!add_nearest(&sb, &list, bare, true))
		add_all(&sb, asked);
	free(list.v);
	return strbuf_steal(&sb);
}

char *query_hint_view(const char *name)
{
	struct strbuf sb = STRBUF_INIT;
	struct candidates list = { 0 };

	for (enum view view = 0; view < VIEW_COUNT; view++)
		add_candidate(&list, name, view_name(view), view, 0);
	if (!add_nearest(&sb, &list, name, false))
		add_all(&sb, 0);
	free(list.v);
	return strbuf_steal(&sb);
}
