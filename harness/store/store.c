/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/alloc.h"
#include "harness/base/file.h"
#include "harness/base/trust.h"
#include "harness/store/store-db.h"

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
		return err_new("results file '%s' has %ju names (hard links); make a copy", path,
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

static struct err *begin_writing(struct store *store, bool is_empty)
{
	struct err *e = is_empty ? store_schema_create(store) : NULL;

	/* FULL: a commit is on the disk when it returns, at one fsync each. */
	if (!e)
		e = store_exec(store, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
	store->is_writing = !e;
	return e ? e : store_read_id(store);
}

static struct err *open_checked(struct store *store, enum store_mode mode)
{
	bool is_empty;
	struct err *e = mode == STORE_WRITE ? store_lock(store) : NULL;

	if (!e)
		e = open_database(store, mode);
	/* Never ended: a reader sees the file as of one moment, so that its tables agree with each other. */
	if (!e && mode == STORE_READ)
		e = store_exec(store, "BEGIN");
	if (!e)
		e = store_schema_check(store, &is_empty);
	if (e)
		return e;
	if (mode == STORE_WRITE)
		return begin_writing(store, is_empty);
	if (is_empty)
		return err_new("results file '%s' is empty: no run has written to it yet", store->name);
	return NULL;
}

/*
 * What stands beside the file is taken for a part of it: nobody else may have put it there. One who reads
 * another's file finds that one's.
 */
static struct err *check_companions(const struct store *store)
{
	static const char *const suffixes[] = { "-wal", "-shm", "-journal", "-lock", "-live" };
	struct err *e = NULL;
	struct stat st;

	if (stat(store->path, &st))
		return err_errno(errno, "cannot open results file '%s'", store->name);
	for (size_t i = 0; !e && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
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
	struct err *e = store_query_int(store, "PRAGMA wal_checkpoint(TRUNCATE)", &busy);

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
	store_unlock(store);
	free(store->live_path);
	free(store->lock_path);
	free(store->path);
	free(store->name);
	free(store);
}
