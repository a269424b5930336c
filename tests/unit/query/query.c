/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "harness/base/clock.h"
#include "harness/query/metric.h"
#include "harness/query/query.h"
#include "tests/unit/errors.h"

/*
 * Queries over views of known numbers, wrong queries, and queries that want out. What it cannot show: that
 * SQLite keeps the promises of its authorizer.
 */

static struct views *views;
static struct query *query;

static void set(int64_t *row, enum view view, const char *column, int64_t value)
{
	int i = view_column_find(view, column);

	if (i < 0)
		must(err_new("no column %s", column));
	row[i] = value;
}

static int64_t text(const char *s)
{
	return views_text(views, s, strlen(s));
}

static void add_mapping(int pid, const char *path, int64_t rss_kib)
{
	int64_t *row = views_add_row(views, VIEW_MAPPING);

	set(row, VIEW_MAPPING, "pid", pid);
	set(row, VIEW_MAPPING, "path", text(path));
	set(row, VIEW_MAPPING, "rss_kib", rss_kib);
}

static void add_number(enum view view, const char *key, int64_t value)
{
	int64_t *row = views_add_row(views, view);

	set(row, view, "key", text(key));
	set(row, view, "value", value);
}

/* Snapshots 5, 7 and 9 of probes 50, 70 and 90, with 1, 2 and 3 mappings of 100 KiB and more. */
static void make_views(void)
{
	views = views_create(VIEWS_ALL);
	for (int i = 1; i <= 3; i++) {
		views_begin(views, 3 + 2 * i, 30 + 20 * i, "onset");
		for (int j = 0; j < i; j++)
			add_mapping(10 + j, j ? "/lib/x" : "", 100 * i + j);
		add_number(VIEW_GUEST, "meminfo.MemFree", 1000 * i);
		/* Not in every snapshot. */
		if (i > 1)
			add_number(VIEW_GUEST, "vmstat.pswpout", i);
		add_number(VIEW_BASELINE, "meminfo.MemFree", 9000);
		views_end(views);
	}
	must(query_open(views, &query));
}

/* What most queries are. */
#define Y(what)        "SELECT snapshot_id, " what " AS y_kib FROM snapshot"
#define GUEST(where)   "SELECT snapshot_id, value AS y_kib FROM guest WHERE " where
#define MAPPINGS(what) "SELECT snapshot_id, " what " AS y_kib FROM mapping GROUP BY 1"
/* i counts from 1, without end. */
#define ENDLESS(select)                                                                                      \
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 5 AS snapshot_id, " select

static struct metric metric_of(const char *sql)
{
	return (struct metric){ .sql = (char *)sql, .path = (char *)"m.sql", .line = 7 };
}

/* Checks that a query gives these values for snapshots 5, 7, 9; -1: none. Twice, and it must stay so. */
static void check(const char *sql, double y5, double y7, double y9)
{
	const double want[] = { y5, y7, y9 };
	struct metric t = metric_of(sql);
	bool is_good = true;

	for (int round = 0; round < 2; round++) {
		struct metric_value *v;
		double got[] = { -1, -1, -1 };
		size_t n;
		struct err *e = query_metric(query, &t, &v, &n);

		if (e) {
			printf("# %s\n", err_message(e));
			err_free(e);
			is_good = false;
			continue;
		}
		for (size_t i = 0; i < n; i++) {
			got[(v[i].snapshot_id - 5) / 2] = v[i].y_kib;
			is_good &= v[i].probe_id == v[i].snapshot_id * 10 && !v[i].is_incomplete;
			is_good &= i == 0 || v[i - 1].snapshot_id < v[i].snapshot_id;
		}
		for (int i = 0; i < 3; i++) {
			is_good &= got[i] == want[i];
			if (got[i] != want[i])
				printf("# snapshot %d: got %g, want %g\n", 5 + 2 * i, got[i], want[i]);
		}
		free(v);
	}
	ok(is_good, sql);
}

static void test_results(void)
{
	check(MAPPINGS("sum(rss_kib)"), 100, 401, 903);
	check(MAPPINGS("count(*)"), 1, 2, 3);
	check("SELECT snapshot_id, max(rss_kib) y_kib FROM mapping GROUP BY snapshot_id ORDER BY 1 DESC", 100,
	      201, 302);
	check("SELECT SNAPSHOT_ID, RSS_KIB AS Y_KIB FROM MAPPING WHERE path = ''", 100, 200, 300);
	check("SELECT snapshot_id, rss_kib / 8.0 AS y_kib FROM mapping WHERE path = '' AND snapshot_id = 7",
	      -1, 25, -1);
	check(MAPPINGS("sum(pss_kib)"), -1, -1, -1);
	check("SELECT snapshot_id, sum(rss_kib) AS y_kib FROM mapping WHERE snapshot_id IN (9, 5, 6) GROUP "
	      "BY 1",
	      100, -1, 903);
	check(Y("1") " WHERE snapshot_id = 7.0", -1, 1, -1);
	check(Y("1") " WHERE snapshot_id = 7.5", -1, -1, -1);
	check(Y("1") " WHERE snapshot_id = '7'", -1, 1, -1);
	check(Y("1") " WHERE snapshot_id = 'x'", -1, -1, -1);
	check(Y("1") " WHERE snapshot_id = NULL", -1, -1, -1);
	check(Y("1") " WHERE snapshot_id = 9223372036854775807", -1, -1, -1);
	check(Y("1") " WHERE snapshot_id > 5 AND snapshot_id <= 7", -1, 1, -1);
}

static void test_keys(void)
{
	check(GUEST("key = 'meminfo.MemFree'"), 1000, 2000, 3000);
	check(GUEST("key = 'vmstat.pswpout'"), -1, 2, 3);
	check(GUEST("key = 'VMSTAT.PSWPOUT' COLLATE NOCASE"), -1, 2, 3);
	check(GUEST("key = 'VMSTAT.PSWPOUT'"), -1, -1, -1);
	check(GUEST("key = NULL"), -1, -1, -1);
	check(GUEST("key LIKE 'vmstat.%'"), -1, 2, 3);
	check("SELECT snapshot_id, b.value - g.value AS y_kib FROM guest g JOIN baseline b USING "
	      "(snapshot_id, key) WHERE key = 'meminfo.MemFree'",
	      8000, 7000, 6000);
	check("SELECT s.snapshot_id, g.value AS y_kib FROM snapshot s LEFT JOIN guest g ON g.snapshot_id = "
	      "s.snapshot_id AND g.key = 'vmstat.pswpout'",
	      -1, 2, 3);
	check("SELECT snapshot_id, (SELECT value FROM guest g WHERE g.snapshot_id = s.snapshot_id AND key = "
	      "'vmstat.pswpout') AS y_kib FROM snapshot s",
	      -1, 2, 3);
	check("SELECT snapshot_id, sum(value) AS y_kib FROM guest WHERE key IN ('vmstat.pswpout', "
	      "'meminfo.MemFree') GROUP BY 1",
	      1000, 2002, 3003);
}

static void test_sql(void)
{
	check("WITH t AS (SELECT snapshot_id, pid, sum(rss_kib) AS r FROM mapping GROUP BY 1, 2) SELECT "
	      "snapshot_id, max(r) AS y_kib FROM t GROUP BY 1",
	      100, 201, 302);
	check("WITH t AS (SELECT 1) SELECT snapshot_id, (SELECT count(*) FROM t) AS y_kib FROM snapshot", 1,
	      1, 1);
	check("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT "
	      "snapshot_id, (SELECT sum(i) FROM n) AS y_kib FROM snapshot",
	      55, 55, 55);
	check("SELECT snapshot_id, rss_kib AS y_kib FROM (SELECT *, row_number() OVER (PARTITION BY "
	      "snapshot_id ORDER BY rss_kib DESC) AS i FROM mapping) WHERE i = 1",
	      100, 201, 302);
	check("SELECT DISTINCT snapshot_id, 1 AS y_kib FROM mapping;  \n", 1, 1, 1);
	check("SELECT snapshot_id, CASE WHEN count(*) > 1 THEN round(sqrt(16.0)) END AS y_kib FROM mapping "
	      "GROUP BY snapshot_id -- that is all",
	      -1, 4, 4);
	check(Y("1") " WHERE name = 'onset' AND probe_id <> 70 UNION ALL SELECT snapshot_id, 2 FROM snapshot "
		     "WHERE probe_id = 70",
	      1, 2, 1);
}

static void check_wrong(const char *sql, const char *part)
{
	struct metric t = metric_of(sql);
	struct metric_value *v;
	size_t n;
	struct err *e = query_metric(query, &t, &v, &n);

	ok(e && strncmp(err_message(e), "m.sql:", 6) == 0, "a mistake in that file");
	is_err_kind(e, ERR_USAGE, part, sql);
}

static void test_wrong_results(void)
{
	check_wrong("", "must be one SELECT");
	check_wrong("-- nothing", "must be one SELECT");
	check_wrong("SELECT snapshot_id, 1 FROM snapshot", "exactly the columns");
	check_wrong(Y("1") "; SELECT 1", "must be one SELECT");
	check_wrong("EXPLAIN " Y("1"), "must be one SELECT");
	check_wrong("VALUES (5, 1)", "exactly the columns");
	check_wrong("SELECT snapshot_id, 1 AS y_kib, 2 FROM snapshot", "exactly the columns");
	check_wrong(Y("?"), "has a parameter");
	check_wrong(Y("'x'"), "not a number");
	check_wrong(Y("x'00'"), "not a number");
	check_wrong(Y("9e999"), "infinite");
	check_wrong(Y("-9e999"), "infinite");
	check_wrong("SELECT 99 AS snapshot_id, 1 AS y_kib", "snapshot_id 99, but there is no such snapshot");
	check_wrong("SELECT NULL AS snapshot_id, 1 AS y_kib", "not an integer");
	check_wrong("SELECT '5' AS snapshot_id, 1 AS y_kib", "not an integer");
	check_wrong("SELECT snapshot_id, rss_kib AS y_kib FROM mapping", "two values for snapshot 7");
	check_wrong("SELECT snapshot_id, pss_kib AS y_kib FROM mapping", "two values for snapshot 7");
	check_wrong(MAPPINGS("sum(9223372036854775807)"), "integer overflow");
	/* Two rows for the first snapshot end it, however many would follow. */
	check_wrong(ENDLESS("i AS y_kib FROM n"), "two values for snapshot 5");
}

static void test_places(void)
{
	check_wrong("SELECT snapshot_id, sum(pss_kb) AS y_kib\nFROM mapping GROUP BY 1",
		    "m.sql:7: no such column: pss_kb; did you mean pss_kib (");
	check_wrong("SELECT snapshot_id,\n sum(m.pss_kb) AS y_kib\nFROM mapping m GROUP BY 1",
		    "m.sql:8: no such column: m.pss_kb; did you mean pss_kib (");
	check_wrong("SELECT snapshot_id, vm_size_kib AS y_kib FROM mapping",
		    "no such column: vm_size_kib; it is a column of process");
	check_wrong("SELECT snapshot_id,\n\"no\" AS y_kib FROM mapping", "m.sql:8: no such column");
	check_wrong("-- mappings\nSELECT snapshot_id, 1 AS y_kib\nFROM mappings",
		    "m.sql:9: no such table: mappings; did you mean mapping?");
	check_wrong("SELECT snapshot_id, 1 AS y_kib FROM temp.mapings",
		    "m.sql:7: no such table: temp.mapings; did you mean mapping?");
	check_wrong("SELECT snapshot_id, 1 AS y_kib\nFORM mapping", "m.sql:8: near \"FORM\": syntax error");
	check_wrong("SELECT snapshot_id, 1 AS y_kib\nFROM mapping m JOIN guest g", "ambiguous column name");
	check_wrong(Y("\nnosuch(1)"), "m.sql:8: no such function: nosuch");
	check_wrong("\n\n\nSELECT 1", "m.sql:10: must give exactly");
	check_wrong(Y("1 +\n\n random()"), "m.sql:9: function 'random' is not allowed");
}

/* Each would read or change what is no view, or give another answer the next time. */
static void test_confinement(void)
{
	static const char *const functions[] = {
		"random()",
		"randomblob(8)",
		"load_extension('/tmp/x.so')",
		"changes()",
		"total_changes()",
		"last_insert_rowid()",
		"sqlite_version()",
		"sqlite_source_id()",
		"sqlite_compileoption_get(0)",
		"sqlite_offset(snapshot_id)",
		"julianday('now')",
		"unixepoch()",
		"strftime('%s')",
		"datetime('now', 'localtime')",
		"current_timestamp",
		"current_date",
		"zeroblob(1000000000)",
		"printf('%1000000000d', 1)",
		"fts3_tokenizer('simple')",
		"json('1')",
		"readfile('/etc/passwd')",
		"writefile('/tmp/x', 'y')",
	};

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		const char *sql = test_format(Y("%s"), functions[i]);
		bool is_none = strstr(sql, "file(") || strstr(sql, "offset(");

		check_wrong(sql, is_none ? "no such function" : "is not allowed");
	}
	check_wrong("DELETE FROM snapshot", "m.sql:7: ");
	check_wrong("DELETE FROM snapshot RETURNING snapshot_id, 1 AS y_kib", "m.sql:7: ");
	check_wrong("UPDATE mapping SET rss_kib = 0", "m.sql:7: ");
	check_wrong("INSERT INTO guest VALUES (5, 'x', 1)", "m.sql:7: ");
	check_wrong("REPLACE INTO guest VALUES (5, 'x', 1)", "m.sql:7: ");
	check_wrong("ATTACH '/tmp/swapcal-query-x' AS x", "ATTACH is not allowed");
	check_wrong("DETACH main", "DETACH is not allowed");
	check_wrong("PRAGMA temp_store = FILE", "PRAGMA is not allowed");
	check_wrong("PRAGMA user_version", "PRAGMA is not allowed");
	check_wrong("BEGIN", "a transaction is not allowed");
	check_wrong("SAVEPOINT x", "a transaction is not allowed");
	check_wrong("VACUUM", "must be one SELECT");
	check_wrong("VACUUM INTO '/tmp/swapcal-query-x'", "must be one SELECT");
	check_wrong("ANALYZE", "is not allowed");
	check_wrong("REINDEX", "one SELECT");
	check_wrong("CREATE TABLE t (x)", "is not allowed");
	check_wrong("CREATE TEMP TABLE t AS SELECT * FROM mapping", "is not allowed");
	check_wrong("CREATE TEMP VIEW t AS SELECT 1", "is not allowed");
	check_wrong("CREATE VIRTUAL TABLE t USING mapping", "m.sql:7: ");
	check_wrong("DROP TABLE mapping", "m.sql:7: ");
	check_wrong("ALTER TABLE mapping RENAME TO x", "m.sql:7: ");
	ok(access("/tmp/swapcal-query-x", F_OK) != 0, "and nothing was written");
}

static void test_other_tables(void)
{
	static const char *const tables[] = {
		"sqlite_schema",
		"sqlite_master",
		"sqlite_temp_schema",
		"sqlite_stmt",
		"pragma_database_list",
		"pragma_function_list",
		"pragma_compile_options",
		"json_each('[1]')",
		"dbstat",
		"generate_series(1, 3)",
		"fts3tokenize",
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		check_wrong(test_format("SELECT 5 AS snapshot_id, x.* FROM %s x", tables[i]), "m.sql:7: ");
		check_wrong(test_format("SELECT 5 AS snapshot_id, count(*) AS y_kib FROM %s", tables[i]),
			    "m.sql:7: ");
	}
	check_wrong(Y("(SELECT count(*) FROM sqlite_schema)"), "'sqlite_schema' is not one of the views");
}

/* Each ends by itself and leaves the database usable. Ten seconds would be long for a test. */
static void test_endless(void)
{
	int64_t begin = clock_ms();

	query_limit(query, 200, (int64_t)256 << 20);
	check_wrong(ENDLESS("count(*) AS y_kib FROM n"), "takes more than 0.2 s");
	check_wrong("WITH RECURSIVE n(i) AS (SELECT NULL UNION ALL SELECT NULL FROM n) SELECT 5 AS "
		    "snapshot_id, i AS y_kib FROM n WHERE i",
		    "takes more than 0.2 s");
	check_wrong(
		"SELECT a.snapshot_id, count(*) AS y_kib FROM guest a, guest b, guest c, guest d, guest e, "
		"guest f, guest g, guest h, guest i, guest j, guest k, guest l, guest m, guest n GROUP BY 1",
		"takes more than 0.2 s");
	ok(clock_ms() - begin < HANGS_S * 1000, "a query ends when its time is over");
	check(Y("1"), 1, 1, 1);
}

static void test_memory(void)
{
	query_limit(query, 60000, 8 << 20);
	check_wrong("WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n) SELECT 5 AS snapshot_id, "
		    "count(*) AS y_kib FROM n",
		    "takes more than 8 MiB of memory");
	check_wrong(ENDLESS("count(DISTINCT i) AS y_kib FROM n"), "takes more than 8 MiB of memory");
	check_wrong(ENDLESS("i AS y_kib FROM n ORDER BY i DESC"), "takes more than 8 MiB of memory");
	check(Y("1"), 1, 1, 1);
}

/* Tables made of tables, two of each: costly before it runs. */
static void test_costly_text(void)
{
	cleanup_strbuf struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, "WITH t0 AS (SELECT snapshot_id FROM guest)");
	for (int i = 1; i < 40; i++)
		strbuf_addf(&sql, ", t%d AS (SELECT a.snapshot_id FROM t%d a JOIN t%d b USING (snapshot_id))",
			    i, i - 1, i - 1);
	strbuf_adds(&sql, " SELECT snapshot_id, count(*) AS y_kib FROM t39 GROUP BY 1");
	check_wrong(strbuf_str(&sql), "m.sql:7: ");

	strbuf_clear(&sql);
	strbuf_adds(&sql, "SELECT snapshot_id, 1");
	for (int i = 0; i < 1000; i++)
		strbuf_adds(&sql, " + (1");
	for (int i = 0; i < 1000; i++)
		strbuf_adds(&sql, ")");
	strbuf_adds(&sql, " AS y_kib FROM snapshot");
	check_wrong(strbuf_str(&sql), "m.sql:7: ");

	strbuf_clear(&sql);
	strbuf_adds(&sql, Y("1") " WHERE name <> '");
	for (int i = 0; i < 10000; i++)
		strbuf_adds(&sql, "0123456789");
	strbuf_adds(&sql, "'");
	check_wrong(strbuf_str(&sql), "m.sql:7: ");
}

/* A text that grows until it is refused. */
static void test_huge_text(void)
{
	check_wrong("WITH RECURSIVE t(x, i) AS (SELECT 'x', 0 UNION ALL SELECT x || x, i + 1 FROM t WHERE i "
		    "< 40) SELECT 5 AS snapshot_id, max(length(x)) AS y_kib FROM t",
		    "too big");
	check_wrong(
		Y("length(replace(replace(replace(replace(replace(replace('aaaaaaaa', 'a', 'bbbbbbbb'), 'b', "
		  "'aaaaaaaa'), 'a', 'bbbbbbbb'), 'b', 'aaaaaaaa'), 'a', 'bbbbbbbb'), 'b', 'aaaaaaaa'))"),
		"too big");
}

static void check_set(const char *sql, unsigned want)
{
	struct metric t = metric_of(sql);
	unsigned got = 0;

	must(query_check(&t, &got));
	is_int(got, want | VIEW_BIT(VIEW_SNAPSHOT), sql);
}

static void test_check(void)
{
	struct metric wrong = metric_of("SELECT snapshot_id, y FROM mapping");
	unsigned seen = VIEW_BIT(VIEW_PAGES);

	is_err_kind(query_check(&wrong, &seen), ERR_USAGE, "", "a wrong query");
	is_int(seen, VIEW_BIT(VIEW_PAGES), "adds no view");
	check_set(Y("1"), 0);
	check_set(MAPPINGS("sum(rss_kib)"), VIEW_BIT(VIEW_MAPPING));
	check_set(Y("(SELECT count(*) FROM process)"), VIEW_BIT(VIEW_PROCESS));
	check_set("SELECT g.snapshot_id, b.value - g.value AS y_kib FROM guest g JOIN baseline b ON "
		  "b.snapshot_id = g.snapshot_id",
		  VIEW_BIT(VIEW_GUEST) | VIEW_BIT(VIEW_BASELINE));
	check_set("WITH t AS (SELECT snapshot_id, kib FROM pages UNION ALL SELECT snapshot_id, value FROM "
		  "unknown) SELECT snapshot_id, sum(kib) AS y_kib FROM t GROUP BY 1",
		  VIEW_BIT(VIEW_PAGES) | VIEW_BIT(VIEW_UNKNOWN));
}

static void test_no_rows(void)
{
	cleanup(cleanup_views_) struct views *none = views_create(VIEWS_ALL);
	cleanup(cleanup_query_) struct query *q = NULL;
	struct metric t = metric_of(MAPPINGS("sum(rss_kib)"));
	struct metric_value *v;
	size_t n;

	must(query_open(none, &q));
	must(query_metric(q, &t, &v, &n));
	is_int(n, 0, "no snapshot, no value");
	free(v);
}

TAP_MAIN(make_views, test_results, test_keys, test_sql, test_wrong_results, test_places, test_confinement,
	 test_other_tables, test_costly_text, test_huge_text, test_check, test_no_rows, test_endless,
	 test_memory)
