/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/store/store-db.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "harness/base/alloc.h"

/* "SWPC": what makes the file known as ours, also to file(1). */
#define APPLICATION_ID 0x53575043

/*
 * Raw material only: whatever can be computed again (onset, brackets, metrics) is not in here. Texts are as
 * they came from the guest. Any change of this text needs another STORE_SCHEMA_VERSION.
 */
static const char schema[] =
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;\n"

	"CREATE TABLE run (\n"
	" id INTEGER PRIMARY KEY, started_s REAL NOT NULL, ended_s REAL, status TEXT NOT NULL,\n"
	" tool_version TEXT NOT NULL, pid INTEGER NOT NULL, audit TEXT NOT NULL,\n"
	" plan_name TEXT NOT NULL, plan_text TEXT NOT NULL) STRICT;\n"

	"CREATE TABLE cell (\n"
	" key TEXT PRIMARY KEY, threshold_key TEXT NOT NULL, position INTEGER NOT NULL,\n"
	" replicates INTEGER NOT NULL, is_current INTEGER NOT NULL, identity TEXT NOT NULL) STRICT;\n"

	"CREATE TABLE probe (\n"
	" id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES run(id),\n"
	" cell_key TEXT NOT NULL REFERENCES cell(key), replicate INTEGER NOT NULL, seq INTEGER NOT NULL,\n"
	" kind TEXT NOT NULL, z_kib INTEGER NOT NULL, seed INTEGER NOT NULL,\n"
	" outcome TEXT NOT NULL, reason TEXT NOT NULL, flags TEXT NOT NULL, started_s REAL NOT NULL,\n"
	" phase_start_ms INTEGER NOT NULL, phase_boot_ms INTEGER NOT NULL,\n"
	" phase_prepare_ms INTEGER NOT NULL, phase_load_ms INTEGER NOT NULL,\n"
	" phase_settle_ms INTEGER NOT NULL, phase_evidence_ms INTEGER NOT NULL,\n"
	" phase_teardown_ms INTEGER NOT NULL,\n"
	" mem_total_kib INTEGER NOT NULL, mem_available0_kib INTEGER NOT NULL, load_pages INTEGER NOT NULL,\n"
	" onset_t_us INTEGER NOT NULL, onset_swapped_pages INTEGER NOT NULL,\n"
	" swap_written_bytes INTEGER NOT NULL, freeze_us INTEGER NOT NULL,\n"
	" agent_rss_kib INTEGER NOT NULL, sample_cpu_us_mean INTEGER NOT NULL,\n"
	" sample_cpu_us_max INTEGER NOT NULL,\n"
	" ballast_rss_kib INTEGER NOT NULL, ballast_pte_kib INTEGER NOT NULL,\n"
	" console TEXT NOT NULL, output TEXT NOT NULL, command_line TEXT NOT NULL) STRICT;\n"
	"CREATE INDEX probe_by_cell ON probe(cell_key);\n"

	"CREATE TABLE series (\n"
	" probe_id INTEGER PRIMARY KEY REFERENCES probe(id), columns TEXT NOT NULL, rows INTEGER NOT NULL,\n"
	" data BLOB NOT NULL) STRICT;\n"

	"CREATE TABLE snapshot (\n"
	" id INTEGER PRIMARY KEY, probe_id INTEGER NOT NULL REFERENCES probe(id),\n"
	" name TEXT NOT NULL) STRICT;\n"
	"CREATE INDEX snapshot_by_probe ON snapshot(probe_id);\n"

	"CREATE TABLE evidence (\n"
	" snapshot_id INTEGER NOT NULL REFERENCES snapshot(id), pid INTEGER NOT NULL, name TEXT NOT NULL,\n"
	" len INTEGER NOT NULL, error TEXT, data BLOB) STRICT;\n"
	"CREATE INDEX evidence_by_snapshot ON evidence(snapshot_id, pid);\n";

/* Blanks and line ends as one blank: how the text above is laid out is no part of the schema. */
static void add_words(struct strbuf *sb, const char *text)
{
	while (*text) {
		size_t blanks = strspn(text, " \n"), word = strcspn(text + blanks, " \n");

		strbuf_adds(sb, blanks ? " " : "");
		strbuf_add(sb, text + blanks, word);
		text += blanks + word;
	}
}

/* All CREATE statements of a database, one after the other. */
static struct err *schema_text(struct store *store, struct strbuf *sb)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e =
		store_prepare(store, "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name", &stmt);

	for (bool row = true; !e && row;) {
		e = store_step(store, stmt, &row);
		for (int i = 0; !e && row && i < 3; i++) {
			cleanup_free char *text = store_column_text(stmt, i);

			add_words(sb, text);
			strbuf_adds(sb, "\n");
		}
	}
	return e;
}

/* What schema_text() says about a file that we made just now. */
static struct err *expected_schema_text(struct strbuf *sb)
{
	struct store memory = { .name = (char *)":memory:", .lock_fd = -1 };
	struct err *e = NULL;

	if (sqlite3_open(":memory:", &memory.db) != SQLITE_OK)
		e = err_new("cannot open a database in memory");
	if (!e)
		e = store_exec(&memory, schema);
	if (!e)
		e = schema_text(&memory, sb);
	sqlite3_close(memory.db);
	return e;
}

static struct err *put_meta(struct store *store, const char *key, const char *value)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_prepare(store, "INSERT INTO meta VALUES (?, ?)", &stmt);

	if (e)
		return e;
	store_bind_text(stmt, 1, key);
	store_bind_text(stmt, 2, value);
	return store_run(store, stmt);
}

struct err *store_schema_create(struct store *store)
{
	cleanup_free char *pragmas = xasprintf("PRAGMA application_id=%d; PRAGMA user_version=%d",
					       APPLICATION_ID, STORE_SCHEMA_VERSION);
	struct err *e = store_exec(store, "BEGIN IMMEDIATE");

	if (e)
		return e;
	e = store_exec(store, pragmas);
	if (!e)
		e = store_exec(store, schema);
	if (!e)
		e = put_meta(store, "created_by", "swapcal " SWAPCAL_VERSION);
	return store_end_transaction(store, e);
}

static struct err *make_id(struct store *store)
{
	uint64_t bits[2];

	if (getrandom(bits, sizeof(bits), 0) != sizeof(bits))
		return err_errno(errno, "no random numbers");
	snprintf(store->id, sizeof(store->id), "%016" PRIx64 "%016" PRIx64, bits[0], bits[1]);
	return put_meta(store, "id", store->id);
}

struct err *store_read_id(struct store *store)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	bool row;
	struct err *e = store_prepare(store, "SELECT value FROM meta WHERE key = 'id'", &stmt);

	if (!e)
		e = store_step(store, stmt, &row);
	if (e)
		return e;
	if (!row)
		return make_id(store);

	cleanup_free char *id = store_column_text(stmt, 0);

	/* It becomes part of file names. */
	if (strlen(id) != 32 || strspn(id, "0123456789abcdef") != 32)
		return store_damaged(store, "its id is none");
	memcpy(store->id, id, sizeof(store->id));
	return NULL;
}

struct err *store_schema_check(struct store *store, bool *ret_is_empty)
{
	int64_t id = 0, version = 0;
	cleanup_strbuf struct strbuf is = STRBUF_INIT, want = STRBUF_INIT;
	struct err *e = store_query_int(store, "PRAGMA application_id", &id);

	if (!e)
		e = store_query_int(store, "PRAGMA user_version", &version);
	if (!e)
		e = schema_text(store, &is);
	if (e)
		return e;
	*ret_is_empty = id == 0 && version == 0 && is.len == 0;
	if (*ret_is_empty)
		return NULL;
	if (id != APPLICATION_ID)
		return err_new("'%s' is an SQLite file of another program; give another name", store->name);
	if (version != STORE_SCHEMA_VERSION)
		return err_new("results file '%s' has schema version %lld, but this is swapcal %s, which "
			       "knows version %d; use the swapcal that wrote it, or start anew under another "
			       "name",
			       store->name, (long long)version, SWAPCAL_VERSION, STORE_SCHEMA_VERSION);
	/*
	 * Exactly our tables: no view, trigger or generated column of someone else's making can then answer
	 * in their place or run when we write.
	 */
	e = expected_schema_text(&want);
	if (e)
		return e;
	if (strcmp(strbuf_str(&is), strbuf_str(&want)) != 0)
		return store_damaged(store, "its tables are not those that swapcal makes");
	return NULL;
}
