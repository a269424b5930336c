/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/query/query.h"

#include <math.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/clock.h"
#include "harness/base/strbuf.h"
#include "harness/query/metric.h"
#include "harness/query/query-hint.h"

DEFINE_CLEANUP(cleanup_stmt, sqlite3_stmt *, sqlite3_finalize)
#define cleanup_stmt cleanup(cleanup_stmt_)

/* What watches a query, from its text to its last row. */
struct query_guard {
	int64_t time_ms_max, memory_bytes_max;
	unsigned read;        /* VIEW_BIT()s of what was read */
	int64_t deadline_ms;  /* of clock_ms() */
	int64_t memory_bytes; /* that SQLite had before */
	char *why;            /* why the query was refused or stopped; NULL: it was not */
	char *name;           /* what in its text is to blame; NULL when that is not known */
};

struct query {
	sqlite3 *db;
	const struct views *views;
	struct query_guard guard;
};

/*
 * --- Views as virtual tables of SQLite, which reads their cells in place. Rows are sorted by snapshot, so
 * that the rows of one are a range, and grouping by snapshot needs no sorting.
 */

/* What xBestIndex tells xFilter: the values that come as arguments, in this order. */
enum {
	BY_SNAPSHOT = 1, /* snapshot_id = ? */
	BY_KEY = 2,      /* key = ? */
};

/* What the memory of nearly every machine is read in. */
#define CACHE_LINE_BYTES 64

/* Far enough for memory to answer, near enough to be still in the cache: 4 to 16 are alike. */
#define ROWS_AHEAD 8

/* One view in one database. */
struct table {
	sqlite3_vtab base;
	const struct views *views;
	enum view view;
	const struct view_column *columns;
	size_t row_bytes;
	int key_column; /* a text by that a row is often looked for; -1: none */
};

struct cursor {
	sqlite3_vtab_cursor base;
	size_t row, end;
	const int64_t *cells; /* of the row */
	bool has_key;
	int64_t key; /* rows with another one are passed over */
};

static char *declaration(enum view view)
{
	struct strbuf sql = STRBUF_INIT;
	size_t n;
	const struct view_column *columns = view_columns(view, &n);

	strbuf_adds(&sql, "CREATE TABLE x (");
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&sql, "%s\"%s\" %s", i ? ", " : "", columns[i].name,
			    columns[i].is_text ? "TEXT" : "INTEGER");
	strbuf_adds(&sql, ")");
	return strbuf_steal(&sql);
}

static int table_connect(sqlite3 *db, void *arg, int argc, const char *const *argv, sqlite3_vtab **ret,
			 char **ret_error)
{
	const struct table *source = arg;
	cleanup_free char *sql = declaration(source->view);
	int rc = sqlite3_declare_vtab(db, sql);

	(void)argc;
	(void)argv;
	(void)ret_error;
	if (rc != SQLITE_OK)
		return rc;

	struct table *table = xcalloc(1, sizeof(*table));

	*table = *source;
	*ret = &table->base;
	return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *base)
{
	free(base);
	return SQLITE_OK;
}

/* An equality that we can use; texts only when they are compared byte by byte. */
static bool is_equality(sqlite3_index_info *info, int i, int column)
{
	return info->aConstraint[i].usable && info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_EQ &&
	       info->aConstraint[i].iColumn == column &&
	       sqlite3_stricmp(sqlite3_vtab_collation(info, i), "BINARY") == 0;
}

/* Makes the value of such an equality the next argument; SQLite still checks each row itself. */
static bool use_equality(sqlite3_index_info *info, int column, int *args)
{
	for (int i = 0; i < info->nConstraint; i++) {
		if (is_equality(info, i, column)) {
			info->aConstraintUsage[i].argvIndex = ++*args;
			return true;
		}
	}
	return false;
}

static int table_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	const struct table *table = (const struct table *)base;
	double snapshots = (double)views_rows(table->views, VIEW_SNAPSHOT);
	double rows = (double)views_rows(table->views, table->view), cost;
	int args = 0;

	if (snapshots < 1)
		snapshots = 1;
	if (rows < 1)
		rows = 1;
	if (use_equality(info, 0, &args)) {
		info->idxNum |= BY_SNAPSHOT;
		rows = rows / snapshots + 1;
		if (table->view == VIEW_SNAPSHOT)
			info->idxFlags |= SQLITE_INDEX_SCAN_UNIQUE;
	}
	cost = rows + 3;
	if (table->key_column >= 0 && use_equality(info, table->key_column, &args)) {
		/* Passing over a row is far cheaper than giving it. */
		info->idxNum |= BY_KEY;
		cost = rows / 10 + 3;
		rows = info->idxNum & BY_SNAPSHOT ? 1 : snapshots;
	}
	info->estimatedCost = cost;
	info->estimatedRows = (sqlite3_int64)rows;
	if (info->nOrderBy == 1 && info->aOrderBy[0].iColumn == 0 && !info->aOrderBy[0].desc)
		info->orderByConsumed = 1;
	return SQLITE_OK;
}

static int cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
	struct cursor *cursor = xcalloc(1, sizeof(*cursor));

	(void)base;
	*ret = &cursor->base;
	return SQLITE_OK;
}

static int cursor_close(sqlite3_vtab_cursor *base)
{
	free(base);
	return SQLITE_OK;
}

/*
 * A query reads one or two cells of a long row, and then waits for memory at each row, unless someone asks
 * for it early. Adding up a column of 600,000 rows took 95 ms without this, and 30 ms with it.
 */
static void prefetch(const struct cursor *c)
{
	const struct table *table = (const struct table *)c->base.pVtab;
	size_t ahead = c->row + ROWS_AHEAD;

	if (ahead >= c->end)
		return;

	const char *row = (const char *)views_row(table->views, table->view, ahead);

	for (size_t i = 0; i < table->row_bytes; i += CACHE_LINE_BYTES)
		__builtin_prefetch(row + i);
}

/* Goes on to the row that is due, at or after cursor->row. */
static void seek(struct cursor *c)
{
	const struct table *table = (const struct table *)c->base.pVtab;

	for (; c->row < c->end; c->row++) {
		c->cells = views_row(table->views, table->view, c->row);
		if (!c->has_key || c->cells[table->key_column] == c->key)
			return;
	}
}

/* A value as the id that a column of integers would compare it with; false when it equals none. */
static bool value_id(sqlite3_value *value, int64_t *ret)
{
	double real;

	switch (sqlite3_value_numeric_type(value)) {
	case SQLITE_INTEGER:
		*ret = sqlite3_value_int64(value);
		return true;
	case SQLITE_FLOAT:
		real = sqlite3_value_double(value);
		/* Ids are small; beyond 2^53 no number with a fraction point is exactly one. */
		if (!(real > -9e15 && real < 9e15) || real != (double)(int64_t)real)
			return false;
		*ret = (int64_t)real;
		return true;
	default:
		return false;
	}
}

/* Equal texts are the same cell, so cells are compared; a text that is in no cell is in no row. */
static bool find_key(struct cursor *c, sqlite3_value *value)
{
	const struct table *table = (const struct table *)c->base.pVtab;
	const char *text = (const char *)sqlite3_value_text(value);

	c->has_key = true;
	c->key = text ? views_text_find(table->views, text, (size_t)sqlite3_value_bytes(value)) : VIEW_NULL;
	return c->key != VIEW_NULL;
}

static int cursor_filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text, int argc,
			 sqlite3_value **argv)
{
	struct cursor *c = (struct cursor *)base;
	const struct table *table = (const struct table *)base->pVtab;
	int64_t id;

	(void)plan_text;
	(void)argc;
	c->row = 0;
	c->end = views_rows(table->views, table->view);
	c->has_key = false;
	if ((plan & BY_SNAPSHOT) &&
	    !(value_id(*argv++, &id) && views_range(table->views, table->view, id, &c->row, &c->end)))
		c->row = c->end = 0;
	if ((plan & BY_KEY) && !find_key(c, *argv))
		c->row = c->end = 0;
	seek(c);
	return SQLITE_OK;
}

static int cursor_next(sqlite3_vtab_cursor *base)
{
	struct cursor *c = (struct cursor *)base;

	c->row++;
	prefetch(c);
	seek(c);
	return SQLITE_OK;
}

static int cursor_eof(sqlite3_vtab_cursor *base)
{
	const struct cursor *c = (const struct cursor *)base;

	return c->row >= c->end;
}

static int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
	const struct cursor *c = (const struct cursor *)base;
	const struct table *table = (const struct table *)base->pVtab;
	int64_t cell = c->cells[column];

	if (cell == VIEW_NULL)
		sqlite3_result_null(context);
	else if (table->columns[column].is_text)
		sqlite3_result_text(context, (const char *)(intptr_t)cell, -1, SQLITE_STATIC);
	else
		sqlite3_result_int64(context, cell);
	return SQLITE_OK;
}

static int cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)((const struct cursor *)base)->row;
	return SQLITE_OK;
}

/* Without xCreate a module is a table by itself, under its own name. */
static const sqlite3_module module = {
	.xConnect = table_connect,
	.xBestIndex = table_best_index,
	.xDisconnect = table_disconnect,
	.xOpen = cursor_open,
	.xClose = cursor_close,
	.xFilter = cursor_filter,
	.xNext = cursor_next,
	.xEof = cursor_eof,
	.xColumn = cursor_column,
	.xRowid = cursor_rowid,
};

/*
 * The first use of a table connects it, for which SQLite needs permissions that a query does not have: it is
 * used once before there is a guard.
 */
static int connect_table(sqlite3 *db, enum view view)
{
	sqlite3_stmt *stmt = NULL;
	cleanup_free char *sql = xasprintf("SELECT 1 FROM \"%s\"", view_name(view));
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	sqlite3_finalize(stmt);
	return rc;
}

static struct err *create_tables(sqlite3 *db, const struct views *views)
{
	/* Tables that SQLite has of itself are none of ours. */
	int rc = sqlite3_drop_modules(db, NULL);

	for (enum view view = 0; rc == SQLITE_OK && view < VIEW_COUNT; view++) {
		struct table *source = xcalloc(1, sizeof(*source));
		size_t n;

		source->views = views;
		source->view = view;
		source->columns = view_columns(view, &n);
		source->row_bytes = n * sizeof(int64_t);
		source->key_column = view_column_find(view, "key");
		/* SQLite frees the source, also when this fails. */
		rc = sqlite3_create_module_v2(db, view_name(view), &module, source, free);
	}
	for (enum view view = 0; rc == SQLITE_OK && view < VIEW_COUNT; view++)
		rc = connect_table(db, view);
	if (rc != SQLITE_OK)
		return err_new("cannot make tables of the evidence: %s", sqlite3_errmsg(db));
	return NULL;
}

/* --- What a query may do, and for how long. It can come from anybody, together with a results file from
 * anybody. */

/*
 * A query takes milliseconds for a thousand snapshots. This is for slow machines and large files, and still
 * ends a mistake while its author is looking.
 */
#define TIME_MS_MAX 10000

/* Some hundred times what the grouping of a thousand snapshots needs. */
#define MEMORY_BYTES_MAX ((int64_t)256 << 20)

/* Instructions of SQLite's machine between two looks at the clock: well below a millisecond. */
#define STEPS 1000

/*
 * Functions of their arguments alone, so that a query gives the same numbers tomorrow. The list says what is
 * allowed, because each SQLite brings new ones. Left out: what tells the time or the state of the database,
 * random ones, and those that make long texts of short ones.
 */
static const char *const functions[] = {
	/* of one row */
	"abs", "acos", "asin", "atan", "atan2", "ceil", "ceiling", "coalesce", "cos", "exp", "floor", "glob",
	"if", "ifnull", "iif", "instr", "length", "like", "likelihood", "likely", "ln", "log", "log10",
	"log2", "lower", "ltrim", "mod", "nullif", "pi", "pow", "power", "replace", "round", "rtrim", "sign",
	"sin", "sqrt", "substr", "substring", "tan", "trim", "trunc", "typeof", "unlikely", "upper",
	/* of many */
	"avg", "count", "group_concat", "max", "median", "min", "percentile", "percentile_cont",
	"percentile_disc", "sum", "total",
	/* of a window */
	"cume_dist", "dense_rank", "first_value", "lag", "last_value", "lead", "nth_value", "ntile",
	"percent_rank", "rank", "row_number"
};

/* The words a statement begins with that asks for this. */
static const char *const statement_names[] = {
	[SQLITE_ATTACH] = "ATTACH",           [SQLITE_DETACH] = "DETACH",
	[SQLITE_PRAGMA] = "PRAGMA",           [SQLITE_TRANSACTION] = "a transaction",
	[SQLITE_SAVEPOINT] = "a transaction", [SQLITE_DELETE] = "DELETE",
	[SQLITE_UPDATE] = "UPDATE",           [SQLITE_INSERT] = "writing",
	[SQLITE_ALTER_TABLE] = "ALTER",       [SQLITE_ANALYZE] = "ANALYZE",
	[SQLITE_REINDEX] = "REINDEX",
};

static const char *statement_name(int action)
{
	bool is_listed = action >= 0 && (size_t)action < COUNT(statement_names);

	return is_listed && statement_names[action] ? statement_names[action] : "CREATE or DROP";
}

/* The first reason is the one to tell; text is handed over. */
static void set_why(struct query_guard *g, char *text, const char *name)
{
	if (g->why) {
		free(text);
		return;
	}
	g->why = text;
	g->name = name ? xstrdup(name) : NULL;
}

/* Is there time and memory left? */
static bool is_within(struct query_guard *g)
{
	if (clock_ms() > g->deadline_ms)
		set_why(g,
			xasprintf(
				"takes more than %g s; does it join tables without a condition on snapshot_id, or recurse without end?",
				(double)g->time_ms_max / 1000),
			NULL);
	else if (sqlite3_memory_used() - g->memory_bytes > g->memory_bytes_max)
		set_why(g,
			xasprintf("takes more than %lld MiB of memory", (long long)g->memory_bytes_max >> 20),
			NULL);
	return !g->why;
}

static int on_progress(void *arg)
{
	return !is_within(arg);
}

static int deny(struct query_guard *g, const char *name, char *why)
{
	set_why(g, why, name);
	return SQLITE_DENY;
}

static int check_function(struct query_guard *g, const char *name)
{
	for (size_t i = 0; i < COUNT(functions); i++)
		if (sqlite3_stricmp(name, functions[i]) == 0)
			return SQLITE_OK;
	return deny(
		g, name,
		xasprintf(
			"function '%s' is not allowed: a metric only computes from the views, and gives the same each time",
			name));
}

/*
 * SQLite asks without a column when a query only counts the rows of something: a view, or a WITH table of the
 * query, whose name could be any. The database has nothing else that could go by such a name but tables of
 * SQLite's own.
 */
static int check_read(struct query_guard *g, const char *table, const char *column)
{
	for (enum view view = 0; view < VIEW_COUNT; view++) {
		if (sqlite3_stricmp(table, view_name(view)) == 0) {
			g->read |= VIEW_BIT(view);
			return SQLITE_OK;
		}
	}
	if (!*column && sqlite3_strnicmp(table, "sqlite_", 7) != 0 &&
	    sqlite3_strnicmp(table, "pragma_", 7) != 0)
		return SQLITE_OK;
	return deny(g, table, xasprintf("table '%s' is not one of the views", table));
}

static int on_authorize(void *arg, int action, const char *first, const char *second, const char *database,
			const char *trigger)
{
	struct query_guard *g = arg;

	(void)database;
	(void)trigger;
	/* A query can be costly before it runs: tables made of tables made of tables. */
	if (!is_within(g))
		return SQLITE_DENY;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_READ:
		return check_read(g, first ? first : "", second ? second : "");
	case SQLITE_FUNCTION:
		return check_function(g, second ? second : "");
	default:
		return deny(g, NULL,
			    xasprintf("must be one SELECT: %s is not allowed", statement_name(action)));
	}
}

static void set_limits(sqlite3 *db)
{
	static const struct {
		int id, value;
	} limits[] = {
		/*
		 * Texts: longer than any path the kernel writes. A function that searches one text in another
		 * cannot be stopped, but with this is done within a second.
		 */
		{ SQLITE_LIMIT_LENGTH, 65536 },
		/* As much as a metric's file may hold. */
		{ SQLITE_LIMIT_SQL_LENGTH, 65536 },
		{ SQLITE_LIMIT_COLUMN, 500 },
		{ SQLITE_LIMIT_EXPR_DEPTH, 200 },
		{ SQLITE_LIMIT_COMPOUND_SELECT, 50 },
		{ SQLITE_LIMIT_VDBE_OP, 100000 },
		{ SQLITE_LIMIT_FUNCTION_ARG, 50 },
		{ SQLITE_LIMIT_ATTACHED, 0 },
		{ SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 500 },
		{ SQLITE_LIMIT_VARIABLE_NUMBER, 1 },
		{ SQLITE_LIMIT_TRIGGER_DEPTH, 1 },
		{ SQLITE_LIMIT_WORKER_THREADS, 0 },
	};

	for (size_t i = 0; i < COUNT(limits); i++)
		sqlite3_limit(db, limits[i].id, limits[i].value);
}

static void set_config(sqlite3 *db)
{
	static const struct {
		int id, value;
	} configs[] = {
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },
		{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
		{ SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0 },
		{ SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
		{ SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
		/* A misspelt "name" must not become a text. */
		{ SQLITE_DBCONFIG_DQS_DML, 0 },
		{ SQLITE_DBCONFIG_DQS_DDL, 0 },
	};

	for (size_t i = 0; i < COUNT(configs); i++)
		sqlite3_db_config(db, configs[i].id, configs[i].value, NULL);
}

static void guard_install(struct query_guard *g, sqlite3 *db)
{
	set_config(db);
	set_limits(db);
	sqlite3_progress_handler(db, STEPS, on_progress, g);
	sqlite3_set_authorizer(db, on_authorize, g);
}

static void guard_deinit(struct query_guard *g)
{
	free(g->why);
	free(g->name);
	g->why = g->name = NULL;
}

static void guard_start(struct query_guard *g)
{
	guard_deinit(g);
	g->read = 0;
	g->deadline_ms = clock_ms() + g->time_ms_max;
	g->memory_bytes = sqlite3_memory_used();
}

/* --- What is wrong with a query, for its author */

/* The line of the file that holds the byte of the query; its first for a negative offset. */
static unsigned line_of(const struct metric *m, long offset)
{
	unsigned line = m->line;

	for (const char *p = m->sql; offset > 0 && *p; p++, offset--)
		line += *p == '\n';
	return line;
}

/* The query may begin with empty lines, which nobody would look at. */
static long first_word(const struct metric *m)
{
	return (long)strspn(m->sql, " \t\r\n");
}

static struct err *wrong_at(const struct metric *m, long offset, const char *what)
{
	return err_new_kind(ERR_USAGE, "%s:%u: %s", m->path, line_of(m, offset), what);
}

__attribute__((format(printf, 2, 3))) static struct err *wrong(const struct metric *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);

	cleanup_free char *what = xvasprintf(fmt, ap);

	va_end(ap);
	return wrong_at(m, first_word(m), what);
}

/* The name behind a prefix of SQLite's message, without quotes; NULL when the message is another one. */
static char *name_in(const char *message, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(message, prefix, len) != 0)
		return NULL;
	message += len;
	if (*message == '"')
		return xmemdup0(message + 1, strcspn(message + 1, "\""));
	return xstrdup(message);
}

static char *hint_for(const char *sql, const char *message, char **ret_name)
{
	cleanup_free char *column = name_in(message, "no such column: ");
	cleanup_free char *table = name_in(message, "no such table: ");

	if (column) {
		*ret_name = xstrdup(column);
		return query_hint_column(sql, column);
	}
	if (table) {
		const char *dot = strrchr(table, '.');

		*ret_name = xstrdup(dot ? dot + 1 : table);
		return query_hint_view(*ret_name);
	}
	*ret_name = NULL;
	return xstrdup("");
}

/* SQLite knows the place of most mistakes; of the others we look for the name. */
static long place_of(const struct query *q, const struct metric *m, const char *name)
{
	long offset = sqlite3_error_offset(q->db);

	if (offset < 0 && name)
		offset = query_hint_find(m->sql, name);
	return offset >= 0 ? offset : first_word(m);
}

static struct err *sqlite_error(const struct query *q, const struct metric *m)
{
	const char *message = sqlite3_errmsg(q->db);
	cleanup_free char *name = NULL;
	const char *why = q->guard.why;

	if (why)
		return wrong_at(m, place_of(q, m, q->guard.name), why);

	cleanup_free char *hint = hint_for(m->sql, message, &name);
	cleanup_free char *what = xasprintf("%s%s", message, hint);

	return wrong_at(m, place_of(q, m, name), what);
}

/* --- One SELECT over the views */

static bool is_blank(const char *sql)
{
	return sql[strspn(sql, " \t\r\n;")] == '\0';
}

/* The guard lets some other statements pass, which do nothing in an empty database. */
static bool is_select(sqlite3_stmt *stmt)
{
	return sqlite3_stmt_readonly(stmt) && !sqlite3_stmt_isexplain(stmt) && sqlite3_column_count(stmt) > 0;
}

static struct err *check_columns(const struct metric *m, sqlite3_stmt *stmt)
{
	if (sqlite3_column_count(stmt) != 2 || sqlite3_stricmp(sqlite3_column_name(stmt, 0), "snapshot_id") ||
	    sqlite3_stricmp(sqlite3_column_name(stmt, 1), "y_kib"))
		return wrong(m, "must give exactly the columns snapshot_id, y_kib");
	return NULL;
}

/* One SELECT with the two columns. The guard decides meanwhile what it may read. */
static struct err *prepare(struct query *q, const struct metric *m, sqlite3_stmt **ret)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	const char *tail = "";

	guard_start(&q->guard);
	if (sqlite3_prepare_v2(q->db, m->sql, -1, &stmt, &tail) != SQLITE_OK)
		return sqlite_error(q, m);
	if (!stmt || !is_blank(tail) || !is_select(stmt))
		return wrong(m, "must be one SELECT");
	if (sqlite3_bind_parameter_count(stmt))
		return wrong(m, "has a parameter ('%s'), but nothing sets it",
			     sqlite3_bind_parameter_name(stmt, 1));

	struct err *e = check_columns(m, stmt);

	if (e)
		return e;
	*ret = take_ptr(stmt);
	return NULL;
}

struct err *query_open(const struct views *views, struct query **ret)
{
	cleanup(cleanup_query_) struct query *q = xcalloc(1, sizeof(*q));
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX;

	q->views = views;
	if (sqlite3_open_v2(":memory:", &q->db, flags, NULL) != SQLITE_OK ||
	    sqlite3_exec(q->db, "PRAGMA temp_store = MEMORY", NULL, NULL, NULL) != SQLITE_OK)
		return err_new("cannot open a database in memory: %s", sqlite3_errmsg(q->db));

	struct err *e = create_tables(q->db, views);

	if (e)
		return e;
	query_limit(q, TIME_MS_MAX, MEMORY_BYTES_MAX);
	guard_install(&q->guard, q->db);
	*ret = take_ptr(q);
	return NULL;
}

void query_limit(struct query *q, int64_t time_ms, int64_t memory_bytes)
{
	q->guard.time_ms_max = time_ms;
	q->guard.memory_bytes_max = memory_bytes;
}

void query_close(struct query *q)
{
	if (!q)
		return;
	sqlite3_close(q->db);
	guard_deinit(&q->guard);
	free(q);
}

struct err *query_check(const struct metric *m, unsigned *set)
{
	cleanup(cleanup_views_) struct views *none = views_create(VIEWS_ALL);
	cleanup(cleanup_query_) struct query *q = NULL;
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = query_open(none, &q);

	if (!e)
		e = prepare(q, m, &stmt);
	if (e)
		return e;
	*set |= q->guard.read | VIEW_BIT(VIEW_SNAPSHOT);
	return NULL;
}

/* --- Running a metric */

struct run {
	struct query *q;
	const struct metric *metric;
	sqlite3_stmt *stmt;
	bool *is_seen; /* of each row of the view snapshot: the query gave a row for it */
	struct metric_value *values;
	size_t n, cap;
};

/* The snapshot a row speaks of, which no row did before, as a row of that view. */
static struct err *take_snapshot(struct run *r, size_t *ret_row)
{
	int64_t id = sqlite3_column_int64(r->stmt, 0);
	size_t end;

	if (sqlite3_column_type(r->stmt, 0) != SQLITE_INTEGER)
		return wrong(r->metric, "gives a snapshot_id that is not an integer");
	if (!views_range(r->q->views, VIEW_SNAPSHOT, id, ret_row, &end))
		return wrong(r->metric, "gives snapshot_id %lld, but there is no such snapshot",
			     (long long)id);
	if (r->is_seen[*ret_row])
		return wrong(r->metric,
			     "gives two values for snapshot %lld; is 'GROUP BY snapshot_id' missing?",
			     (long long)id);
	r->is_seen[*ret_row] = true;
	return NULL;
}

static struct err *take_row(struct run *r)
{
	int type = sqlite3_column_type(r->stmt, 1);
	size_t row;
	struct err *e = take_snapshot(r, &row);

	if (e || type == SQLITE_NULL)
		return e;
	if (type != SQLITE_INTEGER && type != SQLITE_FLOAT)
		return wrong(r->metric, "gives a y_kib that is not a number");

	double y_kib = sqlite3_column_double(r->stmt, 1);

	if (!isfinite(y_kib))
		return wrong(r->metric, "gives an infinite y_kib");

	const int64_t *cells = views_row(r->q->views, VIEW_SNAPSHOT, row);
	struct metric_value *v = array_push(r->values, r->n, r->cap);

	v->snapshot_id = cells[0];
	v->probe_id = cells[view_column_find(VIEW_SNAPSHOT, "probe_id")];
	v->y_kib = y_kib;
	v->is_incomplete = cells[view_column_find(VIEW_SNAPSHOT, "is_incomplete")];
	return NULL;
}

static int by_snapshot(const void *a, const void *b)
{
	const struct metric_value *x = a, *y = b;

	return (x->snapshot_id > y->snapshot_id) - (x->snapshot_id < y->snapshot_id);
}

static struct err *take_rows(struct run *r)
{
	for (;;) {
		int rc = sqlite3_step(r->stmt);

		if (rc == SQLITE_DONE)
			return NULL;
		if (rc != SQLITE_ROW)
			return sqlite_error(r->q, r->metric);

		struct err *e = take_row(r);

		if (e)
			return e;
	}
}

struct err *query_metric(struct query *q, const struct metric *m, struct metric_value **ret, size_t *ret_n)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = prepare(q, m, &stmt);

	if (e)
		return e;

	cleanup_free bool *is_seen = xcalloc(views_rows(q->views, VIEW_SNAPSHOT), sizeof(*is_seen));
	struct run r = { .q = q, .metric = m, .stmt = stmt, .is_seen = is_seen };

	e = take_rows(&r);
	if (e) {
		free(r.values);
		return e;
	}
	if (r.n)
		qsort(r.values, r.n, sizeof(*r.values), by_snapshot);
	*ret = r.values;
	*ret_n = r.n;
	return NULL;
}
