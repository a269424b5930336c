/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "calibrate/text.h"
#include "harness/base/alloc.h"
#include "harness/store-db.h"

/*
 * From raw evidence to the tables that metrics ask. They are made anew from the kernel's own text each time, so an old file
 * answers a new metric. A column is NULL where the kernel did not have the number.
 */

struct field {
	const char *key, *column;
};

/* Of each mapping. Sizes in KiB; thp_eligible is 0 or 1. */
static const struct field smaps_fields[] = {
	{ "Size", "size_kib" },
	{ "KernelPageSize", "kernel_page_size_kib" },
	{ "MMUPageSize", "mmu_page_size_kib" },
	{ "Rss", "rss_kib" },
	{ "Pss", "pss_kib" },
	{ "Pss_Dirty", "pss_dirty_kib" },
	{ "Shared_Clean", "shared_clean_kib" },
	{ "Shared_Dirty", "shared_dirty_kib" },
	{ "Private_Clean", "private_clean_kib" },
	{ "Private_Dirty", "private_dirty_kib" },
	{ "Referenced", "referenced_kib" },
	{ "Anonymous", "anonymous_kib" },
	{ "KSM", "ksm_kib" },
	{ "LazyFree", "lazyfree_kib" },
	{ "AnonHugePages", "anon_huge_pages_kib" },
	{ "ShmemPmdMapped", "shmem_pmd_mapped_kib" },
	{ "FilePmdMapped", "file_pmd_mapped_kib" },
	{ "Shared_Hugetlb", "shared_hugetlb_kib" },
	{ "Private_Hugetlb", "private_hugetlb_kib" },
	{ "Swap", "swap_kib" },
	{ "SwapPss", "swap_pss_kib" },
	{ "Locked", "locked_kib" },
	{ "THPeligible", "thp_eligible" },
};

/* Of each process: those of status, then those of smaps_rollup. */
static const struct field process_fields[] = {
	{ "VmPeak", "vm_peak_kib" },
	{ "VmSize", "vm_size_kib" },
	{ "VmLck", "vm_lck_kib" },
	{ "VmHWM", "vm_hwm_kib" },
	{ "VmRSS", "vm_rss_kib" },
	{ "RssAnon", "rss_anon_kib" },
	{ "RssFile", "rss_file_kib" },
	{ "RssShmem", "rss_shmem_kib" },
	{ "VmData", "vm_data_kib" },
	{ "VmStk", "vm_stk_kib" },
	{ "VmPTE", "vm_pte_kib" },
	{ "VmSwap", "vm_swap_kib" },
	{ "Rss", "rss_kib" },
	{ "Pss", "pss_kib" },
	{ "Pss_Dirty", "pss_dirty_kib" },
	{ "Pss_Anon", "pss_anon_kib" },
	{ "Pss_File", "pss_file_kib" },
	{ "Pss_Shmem", "pss_shmem_kib" },
	{ "Shared_Clean", "shared_clean_kib" },
	{ "Shared_Dirty", "shared_dirty_kib" },
	{ "Private_Clean", "private_clean_kib" },
	{ "Private_Dirty", "private_dirty_kib" },
	{ "Referenced", "referenced_kib" },
	{ "Anonymous", "anonymous_kib" },
	{ "KSM", "ksm_kib" },
	{ "LazyFree", "lazyfree_kib" },
	{ "AnonHugePages", "anon_huge_pages_kib" },
	{ "ShmemPmdMapped", "shmem_pmd_mapped_kib" },
	{ "FilePmdMapped", "file_pmd_mapped_kib" },
	{ "Shared_Hugetlb", "shared_hugetlb_kib" },
	{ "Private_Hugetlb", "private_hugetlb_kib" },
	{ "Swap", "swap_kib" },
	{ "SwapPss", "swap_pss_kib" },
	{ "Locked", "locked_kib" },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Columns of a mapping before its fields, and of a process before its. */
#define MAPPING_HEAD "snapshot_id, pid, n, start, end, perms, offset, inode, path"
#define MAPPING_HEAD_COLUMNS 9
#define PROCESS_HEAD "snapshot_id, pid"
#define PROCESS_HEAD_COLUMNS 2

/* The work of filling the tables. */
struct fill {
	struct store *store;
	sqlite3_stmt *mapping, *process, *guest, *incomplete;
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

/* Binds a number of the kernel's to the column of its field. Addresses above 2^63 (vsyscall) come out negative. */
static void bind_field(sqlite3_stmt *stmt, const struct field *fields, size_t n, int head, struct text_span key,
		       uint64_t value)
{
	for (size_t i = 0; i < n; i++)
		if (text_span_is(key, fields[i].key))
			store_bind_u64(stmt, head + (int)i + 1, value);
}

static void flush_mapping(struct fill *f)
{
	if (f->has_mapping)
		run(f, f->mapping);
	f->has_mapping = false;
}

static void on_mapping(void *arg, const struct text_mapping *m)
{
	struct fill *f = arg;
	sqlite3_stmt *stmt = f->mapping;

	flush_mapping(f);
	sqlite3_bind_int64(stmt, 1, f->snapshot_id);
	sqlite3_bind_int64(stmt, 2, f->pid);
	sqlite3_bind_int(stmt, 3, f->mappings++);
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
	bind_field(f->mapping, smaps_fields, COUNT(smaps_fields), MAPPING_HEAD_COLUMNS, key, value);
}

static void on_process_field(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct fill *f = arg;

	if (has_kib)
		bind_field(f->process, process_fields, COUNT(process_fields), PROCESS_HEAD_COLUMNS, key, value);
}

static void ignore_mapping(void *arg, const struct text_mapping *m)
{
	(void)arg;
	(void)m;
}

/* Makes the process known, and adds what is bound to it. */
static void put_process(struct fill *f)
{
	sqlite3_bind_int64(f->process, 1, f->snapshot_id);
	sqlite3_bind_int64(f->process, 2, f->pid);
	run(f, f->process);
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
	sqlite3_bind_int64(f->guest, 1, f->snapshot_id);
	store_bind_text(f->guest, 2, key);
	store_bind_u64(f->guest, 3, value);
	run(f, f->guest);
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
	else if (strcmp(f->name, "meminfo") == 0 || strcmp(f->name, "vmstat") == 0 || strncmp(f->name, "memory.", 7) == 0)
		text_each_number(text, len, on_guest_number, f);
}

static void set_incomplete(struct fill *f)
{
	sqlite3_bind_int64(f->incomplete, 1, f->snapshot_id);
	run(f, f->incomplete);
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

static void add_fields(struct strbuf *sb, const struct field *fields, size_t n, const char *before, const char *after)
{
	for (size_t i = 0; i < n; i++)
		strbuf_addf(sb, ", %s%s%s", before, fields[i].column, after);
}

static struct err *create_tables(struct store *store)
{
	cleanup_strbuf struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, "DROP TABLE IF EXISTS temp.snapshot; DROP TABLE IF EXISTS temp.process;"
			  "DROP TABLE IF EXISTS temp.mapping; DROP TABLE IF EXISTS temp.guest;"
			  "CREATE TEMP TABLE snapshot (snapshot_id INTEGER PRIMARY KEY, probe_id INTEGER NOT NULL,"
			  " name TEXT NOT NULL, is_incomplete INTEGER NOT NULL) STRICT;"
			  "CREATE TEMP TABLE guest (snapshot_id INTEGER NOT NULL, key TEXT NOT NULL,"
			  " value INTEGER NOT NULL) STRICT;"
			  "CREATE INDEX temp.guest_index ON guest(snapshot_id, key);"
			  "CREATE TEMP TABLE process (snapshot_id INTEGER NOT NULL, pid INTEGER NOT NULL");
	add_fields(&sql, process_fields, COUNT(process_fields), "", " INTEGER");
	strbuf_adds(&sql, ", PRIMARY KEY (snapshot_id, pid)) STRICT;"
			  "CREATE TEMP TABLE mapping (snapshot_id INTEGER NOT NULL, pid INTEGER NOT NULL,"
			  " n INTEGER NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, perms TEXT NOT NULL,"
			  " offset INTEGER NOT NULL, inode INTEGER NOT NULL, path TEXT NOT NULL");
	add_fields(&sql, smaps_fields, COUNT(smaps_fields), "", " INTEGER");
	strbuf_adds(&sql, ") STRICT; CREATE INDEX temp.mapping_index ON mapping(snapshot_id);");
	return store_exec(store, sql.data);
}

static struct err *prepare_insert(struct store *store, const char *table, const char *head, int head_columns,
				  const struct field *fields, size_t n, const char *tail, sqlite3_stmt **ret)
{
	cleanup_strbuf struct strbuf sql = STRBUF_INIT;

	strbuf_addf(&sql, "INSERT INTO temp.%s (%s", table, head);
	add_fields(&sql, fields, n, "", "");
	strbuf_adds(&sql, ") VALUES (?");
	for (size_t i = 1; i < (size_t)head_columns + n; i++)
		strbuf_adds(&sql, ", ?");
	strbuf_addf(&sql, ") %s", tail);
	return store_prepare(store, sql.data, ret);
}

/* Rows of a process come from several files: what one does not say stays. */
static char *process_conflict(void)
{
	struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql, "ON CONFLICT (snapshot_id, pid) DO UPDATE SET pid = pid");
	for (size_t i = 0; i < COUNT(process_fields); i++) {
		const char *column = process_fields[i].column;

		strbuf_addf(&sql, ", %s = coalesce(excluded.%s, %s)", column, column, column);
	}
	return strbuf_steal(&sql);
}

static struct err *prepare_fill(struct fill *f)
{
	cleanup_free char *conflict = process_conflict();
	struct err *e = prepare_insert(f->store, "mapping", MAPPING_HEAD, MAPPING_HEAD_COLUMNS, smaps_fields,
				       COUNT(smaps_fields), "", &f->mapping);

	if (!e)
		e = prepare_insert(f->store, "process", PROCESS_HEAD, PROCESS_HEAD_COLUMNS, process_fields,
				   COUNT(process_fields), conflict, &f->process);
	if (!e)
		e = store_prepare(f->store, "INSERT INTO temp.guest VALUES (?, ?, ?)", &f->guest);
	if (!e)
		e = store_prepare(f->store, "UPDATE temp.snapshot SET is_incomplete = 1 WHERE snapshot_id = ?",
				  &f->incomplete);
	return e;
}

static struct err *fill_snapshots(struct store *store, const char *name)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct err *e = store_prepare(store,
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
	struct err *e = store_prepare(f->store,
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
	struct err *e = create_tables(store);

	if (!e)
		e = fill_snapshots(store, snapshot_name);
	if (!e)
		e = prepare_fill(&f);
	/* One transaction: each of some ten thousand rows would be one by itself. */
	if (!e)
		e = store_exec(store, "BEGIN");
	if (!e)
		e = store_end_transaction(store, fill_tables(&f));
	sqlite3_finalize(f.mapping);
	sqlite3_finalize(f.process);
	sqlite3_finalize(f.guest);
	sqlite3_finalize(f.incomplete);
	return e;
}
