/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/store-tables.h"

/*
 * From raw evidence to the tables that metrics ask. They are made anew from the kernel's own text each time,
 * so an old file answers a new metric. A column is NULL where the kernel did not have the number.
 */

/* The work of filling the tables. */
struct fill {
	struct store *store;
	struct store_tables tables;
	int64_t snapshot_id, pid;
	const char *name;  /* of the piece of evidence at hand */
	bool has_mapping;  /* a row is bound and waits for its last field */
	int mappings;      /* of the process so far */
	struct err *error; /* the first one; callbacks cannot return it */
};

static void run(struct fill *f, sqlite3_stmt *stmt)
{
	struct err *e = store_run(f->store, stmt);

	if (f->error)
		err_free(e);
	else
		f->error = e;
}

static void flush_mapping(struct fill *f)
{
	if (f->has_mapping)
		run(f, f->tables.mapping);
	f->has_mapping = false;
}

static void on_mapping(void *arg, const struct text_mapping *m)
{
	struct fill *f = arg;
	sqlite3_stmt *stmt = f->tables.mapping;

	flush_mapping(f);
	sqlite3_bind_int64(stmt, 1, f->snapshot_id);
	sqlite3_bind_int64(stmt, 2, f->pid);
	sqlite3_bind_int(stmt, 3, f->mappings++);
	/* Addresses above 2^63 (vsyscall) come out negative. */
	sqlite3_bind_int64(stmt, 4, (int64_t)m->start);
	sqlite3_bind_int64(stmt, 5, (int64_t)m->end);
	sqlite3_bind_text(stmt, 6, m->perms.ptr, (int)m->perms.len, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 7, (int64_t)m->offset);
	sqlite3_bind_int64(stmt, 8, (int64_t)m->inode);
	/* A span of length 0 may have no address, which would bind NULL. */
	sqlite3_bind_text(stmt, 9, m->path.len ? m->path.ptr : "", (int)m->path.len, SQLITE_STATIC);
	f->has_mapping = true;
}

static void on_mapping_field(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct fill *f = arg;

	(void)has_kib;
	store_tables_bind_mapping(&f->tables, key, value);
}

static void on_process_field(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct fill *f = arg;

	if (has_kib)
		store_tables_bind_process(&f->tables, key, value);
}

static void ignore_mapping(void *arg, const struct text_mapping *m)
{
	(void)arg;
	(void)m;
}

/* Makes the process known, and adds what is bound to it. */
static void put_process(struct fill *f)
{
	sqlite3_bind_int64(f->tables.process, 1, f->snapshot_id);
	sqlite3_bind_int64(f->tables.process, 2, f->pid);
	run(f, f->tables.process);
}

/* Returns the number of lines that could not be read. */
static size_t fill_process(struct fill *f, const char *text, size_t len)
{
	size_t bad = 0;

	if (strcmp(f->name, "smaps") == 0) {
		bad = text_each_smaps(text, len, on_mapping, on_mapping_field, f);
		flush_mapping(f);
	} else if (strcmp(f->name, "smaps_rollup") == 0) {
		bad = text_each_smaps(text, len, ignore_mapping, on_process_field, f);
	} else if (strcmp(f->name, "status") == 0) {
		bad = text_each_number(text, len, on_process_field, f);
	}
	put_process(f);
	return bad;
}

static void put_guest(struct fill *f, const char *key, uint64_t value)
{
	sqlite3_bind_int64(f->tables.guest, 1, f->snapshot_id);
	store_bind_text(f->tables.guest, 2, key);
	store_bind_u64(f->tables.guest, 3, value);
	run(f, f->tables.guest);
}

static void on_guest_number(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct fill *f = arg;
	cleanup_free char *full = xasprintf("%s.%.*s", f->name, (int)key.len, key.ptr);

	(void)has_kib;
	put_guest(f, full, value);
}

/* A file that is one number and a newline, as memory.current is. */
static bool is_lone_number(const char *text, size_t len, uint64_t *ret)
{
	/* 19 digits always fit. */
	if (len < 2 || len > 20 || text[len - 1] != '\n' || strspn(text, "0123456789") != len - 1)
		return false;
	*ret = strtoull(text, NULL, 10);
	return true;
}

static void fill_guest(struct fill *f, const char *text, size_t len)
{
	uint64_t value;

	if (is_lone_number(text, len, &value))
		put_guest(f, f->name, value);
	else if (strcmp(f->name, "meminfo") == 0 || strcmp(f->name, "vmstat") == 0 ||
		 strncmp(f->name, "memory.", 7) == 0)
		text_each_number(text, len, on_guest_number, f);
}

static void set_incomplete(struct fill *f)
{
	sqlite3_bind_int64(f->tables.incomplete, 1, f->snapshot_id);
	run(f, f->tables.incomplete);
}

/* One row of: snapshot_id, pid, name, len, error, data. */
static struct err *fill_piece(struct fill *f, sqlite3_stmt *row)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_free char *name = store_column_text(row, 2);
	int64_t snapshot_id = sqlite3_column_int64(row, 0), pid = sqlite3_column_int64(row, 1);

	if (snapshot_id != f->snapshot_id || pid != f->pid)
		f->mappings = 0;
	f->snapshot_id = snapshot_id;
	f->pid = pid;
	f->name = name;
	if (sqlite3_column_type(row, 4) != SQLITE_NULL) {
		if (pid)
			set_incomplete(f);
		return take_ptr(f->error);
	}

	struct err *e = store_column_blob(f->store, row, 5, &text);

	if (e)
		return e;
	if ((int64_t)text.len != sqlite3_column_int64(row, 3))
		return store_damaged(f->store, "a piece of evidence does not have the length it claims");
	if (!pid)
		fill_guest(f, strbuf_str(&text), text.len);
	else if (fill_process(f, strbuf_str(&text), text.len))
		set_incomplete(f);
	return take_ptr(f->error);
}

static struct err *fill_snapshots(struct store *store, const char *name)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e =
		store_prepare(store,
			      "INSERT INTO temp.snapshot SELECT id, probe_id, name, 0 FROM main.snapshot"
			      " WHERE name = ?",
			      &stmt);

	if (e)
		return e;
	store_bind_text(stmt, 1, name);
	return store_run(store, stmt);
}

static struct err *fill_tables(struct fill *f)
{
	cleanup_stmt sqlite3_stmt *rows = NULL;
	struct err *e = store_prepare(
		f->store,
		"SELECT e.snapshot_id, e.pid, e.name, e.len, e.error, e.data FROM temp.snapshot s"
		" JOIN main.evidence e ON e.snapshot_id = s.snapshot_id"
		" ORDER BY e.snapshot_id, e.pid, e.rowid",
		&rows);

	for (bool row = true; !e && row;) {
		e = store_step(f->store, rows, &row);
		if (!e && row)
			e = fill_piece(f, rows);
	}
	return e;
}

struct err *store_prepare_metrics(struct store *store, const char *snapshot_name)
{
	struct fill f = { .store = store };
	struct err *e = store_tables_create(store);

	if (!e)
		e = fill_snapshots(store, snapshot_name);
	if (!e)
		e = store_tables_prepare(store, &f.tables);
	/* One transaction, also within a reader's: each of some ten thousand rows would be one by itself. */
	if (!e)
		e = store_exec(store, "SAVEPOINT fill");
	if (!e)
		e = fill_tables(&f);
	if (!e)
		e = store_exec(store, "RELEASE fill");
	store_tables_deinit(&f.tables);
	return e;
}
