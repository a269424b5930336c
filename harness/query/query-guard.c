/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/clock.h"
#include "harness/query/query-internal.h"

/*
 * What a query may do, and for how long. It can come from anybody, together with a results file from anybody.
 */

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
	"abs",
	"acos",
	"asin",
	"atan",
	"atan2",
	"ceil",
	"ceiling",
	"coalesce",
	"cos",
	"exp",
	"floor",
	"glob",
	"if",
	"ifnull",
	"iif",
	"instr",
	"length",
	"like",
	"likelihood",
	"likely",
	"ln",
	"log",
	"log10",
	"log2",
	"lower",
	"ltrim",
	"mod",
	"nullif",
	"pi",
	"pow",
	"power",
	"replace",
	"round",
	"rtrim",
	"sign",
	"sin",
	"sqrt",
	"substr",
	"substring",
	"tan",
	"trim",
	"trunc",
	"typeof",
	"unlikely",
	"upper",
	/* of many */
	"avg",
	"count",
	"group_concat",
	"max",
	"median",
	"min",
	"percentile",
	"percentile_cont",
	"percentile_disc",
	"sum",
	"total",
	/* of a window */
	"cume_dist",
	"dense_rank",
	"first_value",
	"lag",
	"last_value",
	"lead",
	"nth_value",
	"ntile",
	"percent_rank",
	"rank",
	"row_number",
};

/* The words a statement begins with that asks for this; NULL for what SQLite does on the way. */
static const char *statement_name(int action)
{
	switch (action) {
	case SQLITE_ATTACH:
		return "ATTACH";
	case SQLITE_DETACH:
		return "DETACH";
	case SQLITE_PRAGMA:
		return "PRAGMA";
	case SQLITE_TRANSACTION:
	case SQLITE_SAVEPOINT:
		return "a transaction";
	case SQLITE_DELETE:
		return "DELETE";
	case SQLITE_UPDATE:
		return "UPDATE";
	case SQLITE_INSERT:
		return "writing";
	case SQLITE_ALTER_TABLE:
		return "ALTER";
	case SQLITE_ANALYZE:
		return "ANALYZE";
	case SQLITE_REINDEX:
		return "REINDEX";
	default:
		return "CREATE or DROP";
	}
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
			xasprintf("takes more than %g s; are there tables joined without a condition on "
				  "snapshot_id, or a recursion without an end?",
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
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (sqlite3_stricmp(name, functions[i]) == 0)
			return SQLITE_OK;
	return deny(g, name,
		    xasprintf("function '%s' is not allowed: a metric is arithmetic over the views, the same "
			      "each time",
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

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
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

	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++)
		sqlite3_db_config(db, configs[i].id, configs[i].value, NULL);
}

void query_guard_install(struct query_guard *g, sqlite3 *db)
{
	g->time_ms_max = TIME_MS_MAX;
	g->memory_bytes_max = MEMORY_BYTES_MAX;
	set_config(db);
	set_limits(db);
	sqlite3_progress_handler(db, STEPS, on_progress, g);
	sqlite3_set_authorizer(db, on_authorize, g);
}

void query_guard_start(struct query_guard *g)
{
	query_guard_deinit(g);
	g->read = 0;
	g->deadline_ms = clock_ms() + g->time_ms_max;
	g->memory_bytes = sqlite3_memory_used();
}

void query_guard_deinit(struct query_guard *g)
{
	free(g->why);
	free(g->name);
	g->why = g->name = NULL;
}
