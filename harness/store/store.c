/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/trust.h"
#include "harness/store/store-db.h"

/* --- Statements, and errors our way */

struct err *store_damaged(struct store *store, const char *what)
{
	return err_new(
		"results file '%s' is damaged: %s; use an older copy, or start a new file under another name",
		store->name, what);
}

struct err *store_error(struct store *store)
{
	const char *message = sqlite3_errmsg(store->db);

	switch (sqlite3_errcode(store->db)) {
	case SQLITE_NOTADB:
		return err_new("'%s' is not a swapcal results file; give another name", store->name);
	case SQLITE_CORRUPT:
		return store_damaged(store, message);
	case SQLITE_FULL:
		return err_new(
			"results file '%s': the disk is full; what was committed is safe: free some space and run again",
			store->name);
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
		return err_new(
			"results file '%s' cannot be opened (%s); after a run was killed, its file can only be read in a directory that you can write to: copy '%s' and '%s-wal' to one",
			store->name, message, store->name, store->name);
	default:
		return err_new("results file '%s': %s", store->name, message);
	}
}

struct err *store_prepare(struct store *store, const char *sql, sqlite3_stmt **ret)
{
	if (sqlite3_prepare_v2(store->db, sql, -1, ret, NULL) != SQLITE_OK)
		return store_error(store);
	return NULL;
}

/* Sets the parameter of that number, from 1. */
static void bind(sqlite3_stmt *stmt, int index, const struct store_value *v)
{
	if (v->type == SQLITE_INTEGER)
		sqlite3_bind_int64(stmt, index, v->integer);
	else if (v->type == SQLITE_FLOAT)
		sqlite3_bind_double(stmt, index, v->real);
	else if (v->type == SQLITE_TEXT)
		sqlite3_bind_text(stmt, index, v->text ? v->text : "", -1, SQLITE_STATIC);
	else if (v->type == SQLITE_BLOB)
		sqlite3_bind_blob64(stmt, index, v->blob->data, v->blob->len, SQLITE_STATIC);
}

struct err *store_ask_values(struct store *store, sqlite3_stmt **ret, const char *sql,
			     const struct store_value *values, size_t n)
{
	struct err *e = store_prepare(store, sql, ret);

	for (size_t i = 0; !e && i < n; i++)
		bind(*ret, (int)i + 1, &values[i]);
	return e;
}

struct err *store_change_values(struct store *store, const char *sql, const struct store_value *values,
				size_t n)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_ask_values(store, &stmt, sql, values, n);

	return e ? e : store_run(store, stmt);
}

bool store_next(struct store *store, sqlite3_stmt *stmt, struct err **e)
{
	int rc = *e ? SQLITE_DONE : sqlite3_step(stmt);

	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		*e = store_error(store);
	return rc == SQLITE_ROW;
}

struct err *store_run(struct store *store, sqlite3_stmt *stmt)
{
	struct err *e = NULL;

	store_next(store, stmt, &e);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return e;
}

struct err *store_exec(struct store *store, const char *sql)
{
	log_debug(LOG_STORE, "%s: %.*s", store->path ? store->path : "in memory", (int)strcspn(sql, "\n"),
		  sql);
	if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return store_error(store);
	return NULL;
}

struct err *store_query_int_values(struct store *store, int64_t *ret, const char *sql,
				   const struct store_value *values, size_t n)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_ask_values(store, &stmt, sql, values, n);
	bool has_row = store_next(store, stmt, &e);

	if (!e)
		*ret = has_row ? sqlite3_column_int64(stmt, 0) : 0;
	return e;
}

struct err *store_end_transaction(struct store *store, struct err *e)
{
	if (!e)
		e = store_exec(store, "COMMIT");
	/* A failed COMMIT may leave the transaction open, some errors have ended it already. */
	if (e && !sqlite3_get_autocommit(store->db)) {
		log_debug(LOG_STORE, "%s: ROLLBACK", store->path ? store->path : "in memory");
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	}
	return e;
}

char *store_column_text(sqlite3_stmt *stmt, int column)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	return xstrdup(text ? (const char *)text : "");
}

bool store_column_key(sqlite3_stmt *stmt, int column, char key[65])
{
	cleanup_free char *text = store_column_text(stmt, column);

	if (strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64)
		return false;
	memcpy(key, text, 65);
	return true;
}

struct err *store_read_blob(struct store *store, sqlite3_stmt *stmt, int column, struct blob_reader *r,
			    const char **ret, size_t *ret_len)
{
	const void *data = sqlite3_column_blob(stmt, column);
	int len = sqlite3_column_bytes(stmt, column);
	struct err *e = blob_reader_read(r, data, data ? (size_t)len : 0, STORE_BLOB_MAX, ret, ret_len);

	if (!e)
		return NULL;

	struct err *damaged = store_damaged(store, err_message(e));

	err_free(e);
	return damaged;
}

/* --- The file */

/*
 * Creates the file when it is missing, so that it has our mode from the start. As it is a new one, no lock of
 * SQLite's can be lost by closing it.
 */
static struct err *create_file(const char *path)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 && errno != EEXIST)
		return err_errno(errno, "cannot create results file '%s'", path);
	return NULL;
}

static struct err *check_file(const char *path, enum store_mode mode)
{
	struct stat st;

	if (stat(path, &st)) {
		if (errno == ENOENT)
			return err_new("no results file '%s'; `swapcal run PLAN -o '%s'` makes one", path,
				       path);
		return err_errno(errno, "cannot open results file '%s'", path);
	}
	if (!S_ISREG(st.st_mode))
		return err_new("'%s' is not a swapcal results file but a %s; give another name", path,
			       S_ISDIR(st.st_mode) ? "directory" : "special file");
	if (access(path, R_OK))
		return err_errno(errno, "cannot read results file '%s'", path);
	/* SQLite finds a journal by the file's name: under another name it would not be found. */
	if (mode == STORE_WRITE && st.st_nlink > 1)
		return err_new("results file '%s' has %ju names (hard links); use a copy of it", path,
			       (uintmax_t)st.st_nlink);
	return NULL;
}

/* file:PATH?immutable=1 with the bytes escaped that mean something in a URI. */
static char *immutable_uri(const char *path)
{
	struct strbuf sb = STRBUF_INIT;

	strbuf_adds(&sb, "file:");
	for (const char *p = path; *p; p++) {
		if (strchr("%?#", *p))
			strbuf_addf(&sb, "%%%02x", (unsigned)*p);
		else
			strbuf_add(&sb, p, 1);
	}
	strbuf_adds(&sb, "?immutable=1");
	return strbuf_steal(&sb);
}

/*
 * Opens for reading. Without a journal the file is complete in itself, and "immutable" keeps SQLite from
 * making a -wal and a -shm beside it, which also works in a directory that cannot be written. A run that
 * starts just then writes to its -wal first, so that the file we read stays as it is for minutes.
 */
static int open_read(struct store *store)
{
	cleanup_free char *wal = xasprintf("%s-wal", store->path);
	cleanup_free char *journal = xasprintf("%s-journal", store->path);

	if (file_exists(wal) || file_exists(journal))
		return sqlite3_open_v2(store->path, &store->db, SQLITE_OPEN_READONLY, NULL);

	cleanup_free char *uri = immutable_uri(store->path);

	return sqlite3_open_v2(uri, &store->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
}

static struct err *open_database(struct store *store, enum store_mode mode)
{
	int rc = mode == STORE_READ ? open_read(store)
				    : sqlite3_open_v2(store->path, &store->db, SQLITE_OPEN_READWRITE, NULL);

	if (rc != SQLITE_OK)
		return store_error(store);
	/* SQLite falls back to reading what it may not write. */
	if (mode == STORE_WRITE && sqlite3_db_readonly(store->db, "main"))
		return err_new("results file '%s' cannot be written: no permission", store->name);
	/* The file may be someone else's: no clever schema, no value larger than we would ever write. */
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_limit(store->db, SQLITE_LIMIT_LENGTH, (int)STORE_BLOB_MAX);
	/* Readers and writer hardly ever wait for each other; when they do, it is for a moment. */
	sqlite3_busy_timeout(store->db, 2000);
	return store_exec(store,
			  "PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON");
}

/* --- One writer */

/*
 * One writer, by an open-file-description lock on PATH-lock: the kernel lets go of it however the owner ends.
 * The results file itself is not the place for it: SQLite's own locks on that file vanish as soon as the
 * process closes any descriptor of it. The lock file holds the owner's pid, for messages only.
 */

static bool try_lock(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* The pid in the lock file, 0 when there is none (its owner is just about to write it). */
static long read_owner(int fd)
{
	char text[32];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';

	long pid = strtol(text, NULL, 10);

	return pid > 0 ? pid : 0;
}

static struct err *in_use(const struct store *store, long pid)
{
	if (pid)
		return err_new("results file '%s' is in use by another run (pid %ld)", store->name, pid);
	return err_new("results file '%s' is in use by another run", store->name);
}

static struct err *lock(struct store *store)
{
	for (;;) {
		cleanup_close int fd =
			open(store->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0)
			return err_errno(errno, "cannot create lock file '%s'", store->lock_path);
		if (!try_lock(fd)) {
			if (errno != EAGAIN && errno != EACCES)
				return err_errno(errno, "cannot lock '%s'", store->lock_path);
			return in_use(store, read_owner(fd));
		}
		if (!lock_is_at(fd, store->lock_path))
			continue;

		char text[32];
		int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

		if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)n, 0) != n)
			return err_errno(errno, "cannot write lock file '%s'", store->lock_path);
		store->lock_fd = take_fd(fd);
		return NULL;
	}
}

static void unlock(struct store *store)
{
	if (store->lock_fd < 0)
		return;
	unlink(store->lock_path);
	close(store->lock_fd);
	store->lock_fd = -1;
}

bool store_has_writer(const struct store *store, long *ret_pid)
{
	/* NONBLOCK: a FIFO of that name, in someone else's directory, must not hold us up. */
	cleanup_close int fd = open(store->lock_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	/* F_OFD_GETLK asks whether the lock could be had, and takes nothing. */
	if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) || lock.l_type == F_UNLCK)
		return false;
	*ret_pid = read_owner(fd);
	return true;
}

/* --- The tables */

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

	while (store_next(store, stmt, &e)) {
		for (int i = 0; i < 3; i++) {
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
	return store_change(store, "INSERT INTO meta VALUES (?, ?)", STORE_TEXT(key), STORE_TEXT(value));
}

static struct err *create_schema(struct store *store)
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

static struct err *read_id(struct store *store)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_prepare(store, "SELECT value FROM meta WHERE key = 'id'", &stmt);

	if (!store_next(store, stmt, &e))
		return e ? e : make_id(store);

	cleanup_free char *id = store_column_text(stmt, 0);

	/* It becomes part of file names. */
	if (strlen(id) != 32 || strspn(id, "0123456789abcdef") != 32)
		return store_damaged(store, "its id is not 32 hex digits");
	memcpy(store->id, id, sizeof(store->id));
	return NULL;
}

static struct err *check_schema(struct store *store, bool *ret_is_empty)
{
	int64_t id = 0, version = 0;
	cleanup_strbuf struct strbuf is = STRBUF_INIT, want = STRBUF_INIT;
	struct err *e = store_query_int(store, &id, "PRAGMA application_id");

	if (!e)
		e = store_query_int(store, &version, "PRAGMA user_version");
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
		return err_new(
			"results file '%s' has schema version %lld, but this is swapcal %s, which knows version %d; use the swapcal that wrote it, or start a new file under another name",
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

/* --- Opening and closing */

static struct err *begin_writing(struct store *store, bool is_empty)
{
	struct err *e = is_empty ? create_schema(store) : NULL;

	/* FULL: a commit is on the disk when it returns, at one fsync each. */
	if (!e)
		e = store_exec(store, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
	store->is_writing = !e;
	return e ? e : read_id(store);
}

static struct err *open_checked(struct store *store, enum store_mode mode)
{
	bool is_empty;
	struct err *e = mode == STORE_WRITE ? lock(store) : NULL;

	if (!e)
		e = open_database(store, mode);
	/* A reader never ends this: it sees the file as of one moment, so that its tables agree. */
	if (!e && mode == STORE_READ)
		e = store_exec(store, "BEGIN");
	if (!e)
		e = check_schema(store, &is_empty);
	if (e)
		return e;
	if (mode == STORE_WRITE)
		return begin_writing(store, is_empty);
	if (is_empty)
		return err_new("results file '%s' is empty: no run has written to it yet", store->name);
	return NULL;
}

/*
 * SQLite takes a file beside ours for a part of it, so it must belong to the owner of the results file.
 */
static struct err *check_companions(const struct store *store)
{
	static const char *const suffixes[] = { "-wal", "-shm", "-journal", "-lock", "-live" };
	struct err *e = NULL;
	struct stat st;

	if (stat(store->path, &st))
		return err_errno(errno, "cannot open results file '%s'", store->name);
	for (size_t i = 0; !e && i < COUNT(suffixes); i++) {
		cleanup_free char *path = xasprintf("%s%s", store->path, suffixes[i]);

		e = trust_companion(path, st.st_uid);
	}
	return err_wrap(e, "results file '%s'", store->name);
}

struct err *store_open(const char *path, enum store_mode mode, struct store **ret)
{
	struct err *e = mode == STORE_WRITE ? trust_output(path) : NULL;

	if (!e && mode == STORE_WRITE)
		e = create_file(path);
	if (!e)
		e = check_file(path, mode);
	if (e)
		return e;

	cleanup(cleanup_store_) struct store *store = xcalloc(1, sizeof(*store));

	store->lock_fd = -1;
	store->name = xstrdup(path);
	store->path = realpath(path, NULL);
	if (!store->path)
		return err_errno(errno, "cannot open results file '%s'", path);
	store->lock_path = xasprintf("%s-lock", store->path);
	store->live_path = xasprintf("%s-live", store->path);
	e = check_companions(store);
	if (!e)
		e = open_checked(store, mode);
	if (e)
		return e;
	*ret = take_ptr(store);
	return NULL;
}

const char *store_id(const struct store *store)
{
	return store->id;
}

/*
 * Brings everything into the one file. With a reader in the way the -wal stays, and nothing is lost by that.
 */
static void end_writing(struct store *store)
{
	int64_t busy;
	struct err *e = store_query_int(store, &busy, "PRAGMA wal_checkpoint(TRUNCATE)");

	if (!e)
		e = store_exec(store, "PRAGMA journal_mode=DELETE");
	err_free(e);
}

const char *store_live_path(const struct store *store)
{
	return store->live_path;
}

const char *store_name(const struct store *store)
{
	return store->name;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	if (store->is_writing) {
		end_writing(store);
		unlink(store->live_path);
	}
	sqlite3_close(store->db);
	unlock(store);
	free(store->live_path);
	free(store->lock_path);
	free(store->path);
	free(store->name);
	free(store);
}
