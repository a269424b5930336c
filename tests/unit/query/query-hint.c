/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "harness/query/query-hint.h"
#include "tests/unit/errors.h"

/* Names that are a little wrong, quite wrong, and elsewhere. */

static void check_column(const char *sql, const char *name, const char *want)
{
	has_str(test_keep(query_hint_column(sql, name)), want, name);
}

static void check_view(const char *name, const char *want)
{
	is_str(test_keep(query_hint_view(name)), want, name);
}

static unsigned count(const char *text, char c)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == c;
	return n;
}

static void test_nearest(void)
{
	check_column("FROM mapping", "pss_kb", "; did you mean pss_kib (");
	check_column("FROM mapping m", "m.pss_kb", "; did you mean pss_kib (");
	check_column("FROM mapping", "Private_Dirty", "; did you mean private_dirty_kib (");
	check_column("FROM mapping", "rss", "; did you mean rss_kib (");
	check_column("FROM mapping", "psskib", "; did you mean pss_kib (");
	check_column("FROM mapping", "spps_kib", "pss_kib (");
	check_column("FROM mapping", "pahts", "; did you mean path (mapping)");
	check_column("FROM guest", "vlaue", "; did you mean value (");
	check_column("FROM process", "vm_siz_kib", "; did you mean vm_size_kib (process)");
	check_column("", "snapshot", "; did you mean snapshot_id (");
}

static void test_order(void)
{
	ok(count(test_keep(query_hint_column("FROM mapping", "xss_kib")), '(') <= 5, "at most five names");
	/* swap_kib of both views, then what is further away. */
	has_str(test_keep(query_hint_column("FROM mapping", "swap_kb")),
		"did you mean swap_kib (process, mapping)", "the nearest first, with all its views");
}

static void test_elsewhere(void)
{
	is_str(test_keep(query_hint_column("FROM mapping", "vm_size_kib")), "; it is a column of process",
	       "a column of a view that was not asked");
	check_column("FROM guest", "mapping.VALUE", "; it is a column of unknown, guest, baseline");
}

static void test_nothing_near(void)
{
	cleanup_free char *long_name = xcalloc(1, 100001);

	cleanup_free char *named =
		query_hint_column("SELECT 'guest' FROM mapping m JOIN Process -- pages", "xyzzy");

	ok(strstr(named, "; process has the columns ") && strstr(named, "; mapping has the columns ") &&
		   !strstr(named, "; guest has") && !strstr(named, "; pages has"),
	   "the columns of the views that a query names, and of no others");
	memset(long_name, 'x', 100000);
	check_column("SELECT 1 FROM guest", "xyzzy", "; guest has the columns snapshot_id, key, value");
	check_column("SELECT 1", "xyzzy",
		     "; the views are snapshot, process, mapping, unknown, pages, guest, baseline");
	check_column("SELECT 1", "", "; the views are ");
	check_column("SELECT 1", long_name, "; the views are ");
	check_column("SELECT 1", "\xff\xc3", "; the views are ");
}

static void test_views(void)
{
	check_view("mappings", "; did you mean mapping?");
	check_view("PROCES", "; did you mean process?");
	check_view("page", "; did you mean pages?");
	check_view("xyzzy", "; the views are snapshot, process, mapping, unknown, pages, guest, baseline");
}

static void test_words(void)
{
	is_int(query_hint_find("SELECT a FROM b", "from"), 9, "a word, whatever its case");
	is_int(query_hint_find("SELECT fromage", "from"), -1, "not the beginning of one");
	is_int(query_hint_find("-- from\nfrom", "from"), 8, "not in a comment");
	is_int(query_hint_find("/* from */from", "from"), 10, "nor in one of the other kind");
	is_int(query_hint_find("'from''from' from", "from"), 13, "nor in a text");
	is_int(query_hint_find("\"from\"", "from"), 1, "but in quotes that make a name");
	is_int(query_hint_find("/* never ends", "ends"), -1, "a comment that never ends");
	is_int(query_hint_find("'never ends", "ends"), -1, "a text that never ends");
	is_int(query_hint_find("", "x"), -1, "nothing in nothing");
}

TAP_MAIN(test_nearest, test_order, test_elsewhere, test_nothing_near, test_views, test_words)
