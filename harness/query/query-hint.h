/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Suggestions for a wrong name in a query: names that look like it. Pure functions over the views'
 * names. All texts are to be freed, begin with "; " and go behind an error's message.
 */

/**
 * For a name that is no column of what the query asks. Says which views have it if any has; else the columns
 * nearest to it, at most 5; else all columns of the views that the query names, or the views if it names
 * none. A qualifier ("m.") is passed over. Upper case and a missing "_kib" hardly count as a difference, so
 * that the kernel's own names find their column.
 */
char *query_hint_column(const char *sql, const char *name);

/** For a name that is no view: the nearest ones, else all. */
char *query_hint_view(const char *name);

/**
 * Where the query first has that word, not counting comments and 'strings'; -1 when it does not. Case does
 * not matter.
 */
long query_hint_find(const char *sql, const char *word);
