/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "calibrate/evidence/views.h"
#include "tests/unit/evidence/data.h"

/* For the tests of views: a snapshot under way, cells by name, and pieces of evidence. */

/* New views of that set, in which a snapshot is begun. Those begun before are gone. */
__attribute__((unused)) static struct views *begin(unsigned set)
{
	static struct views *last;

	views_destroy(last);
	last = views_create(set);
	views_begin(last, 7, 3, "onset");
	return last;
}

__attribute__((unused)) static int column(enum view view, const char *name)
{
	int i = view_column_find(view, name);

	if (i < 0) {
		printf("# no column '%s'\n", name);
		abort();
	}
	return i;
}

__attribute__((unused)) static int64_t cell(const struct views *v, enum view view, size_t row,
					    const char *name)
{
	return row < views_rows(v, view) ? views_row(v, view, row)[column(view, name)] : -77;
}

/* Of the first snapshot. */
__attribute__((unused)) static bool is_incomplete(const struct views *v)
{
	return cell(v, VIEW_SNAPSHOT, 0, "is_incomplete") == 1;
}

/* A text cell; "(none)" when it is NULL. */
__attribute__((unused)) static const char *text_cell(const struct views *v, enum view view, size_t row,
						     const char *name)
{
	int64_t value = row < views_rows(v, view) ? cell(v, view, row, name) : VIEW_NULL;

	return value == VIEW_NULL ? "(none)" : (const char *)(intptr_t)value;
}

/* The sum of a column, NULLs left out. */
__attribute__((unused)) static int64_t sum(const struct views *v, enum view view, const char *name)
{
	int64_t s = 0;

	for (size_t i = 0; i < views_rows(v, view); i++)
		if (cell(v, view, i, name) != VIEW_NULL)
			s += cell(v, view, i, name);
	return s;
}

/* The value of a key of guest or baseline in the whole, -1 when there is none. */
__attribute__((unused)) static int64_t guest_value(const struct views *v, enum view view, const char *key)
{
	for (size_t i = 0; i < views_rows(v, view); i++)
		if (strcmp(text_cell(v, view, i, "key"), key) == 0)
			return cell(v, view, i, "value");
	return -1;
}

__attribute__((unused)) static void add_text(struct views *v, unsigned pid, const char *name,
					     const char *text)
{
	views_add(v, pid, name, text, strlen(text));
}

/* A file of tests/data as a piece of evidence. */
__attribute__((unused)) static void add_data(struct views *v, unsigned pid, const char *kernel,
					     const char *file)
{
	cleanup_strbuf struct strbuf sb = load(kernel, file);

	views_add(v, pid, file, strbuf_str(&sb), sb.len);
}
