/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/store-tables.h"

struct field {
	const char *key, *column;
};

/* Of smaps and of its sum, smaps_rollup, alike. */
/* clang-format off */
#define COMMON_FIELDS \
	{ "Shared_Clean", "shared_clean_kib" }, \
	{ "Shared_Dirty", "shared_dirty_kib" }, \
	{ "Private_Clean", "private_clean_kib" }, \
	{ "Private_Dirty", "private_dirty_kib" }, \
	{ "Referenced", "referenced_kib" }, \
	{ "Anonymous", "anonymous_kib" }, \
	{ "KSM", "ksm_kib" }, \
	{ "LazyFree", "lazyfree_kib" }, \
	{ "AnonHugePages", "anon_huge_pages_kib" }, \
	{ "ShmemPmdMapped", "shmem_pmd_mapped_kib" }, \
	{ "FilePmdMapped", "file_pmd_mapped_kib" }, \
	{ "Shared_Hugetlb", "shared_hugetlb_kib" }, \
	{ "Private_Hugetlb", "private_hugetlb_kib" }, \
	{ "Swap", "swap_kib" }, \
	{ "SwapPss", "swap_pss_kib" }, \
	{ "Locked", "locked_kib" }
/* clang-format on */

/* Of each mapping. Sizes in KiB; thp_eligible is 0 or 1. */
static const struct field smaps_fields[] = {
	{ "Size", "size_kib" },
	{ "KernelPageSize", "kernel_page_size_kib" },
	{ "MMUPageSize", "mmu_page_size_kib" },
	{ "Rss", "rss_kib" },
	{ "Pss", "pss_kib" },
	{ "Pss_Dirty", "pss_dirty_kib" },
	COMMON_FIELDS,
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
	COMMON_FIELDS,
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Columns of a mapping before its fields, and of a process before its. */
#define MAPPING_HEAD         "snapshot_id, pid, n, start, end, perms, offset, inode, path"
#define MAPPING_HEAD_COLUMNS 9
#define PROCESS_HEAD         "snapshot_id, pid"
#define PROCESS_HEAD_COLUMNS 2

static void bind_field(sqlite3_stmt *stmt, const struct field *fields, size_t n, int head,
		       struct text_span key, uint64_t value)
{
	for (size_t i = 0; i < n; i++)
		if (text_span_is(key, fields[i].key))
			store_bind_u64(stmt, head + (int)i + 1, value);
}

void store_tables_bind_mapping(struct store_tables *t, struct text_span key, uint64_t value)
{
	bind_field(t->mapping, smaps_fields, COUNT(smaps_fields), MAPPING_HEAD_COLUMNS, key, value);
}

void store_tables_bind_process(struct store_tables *t, struct text_span key, uint64_t value)
{
	bind_field(t->process, process_fields, COUNT(process_fields), PROCESS_HEAD_COLUMNS, key, value);
}

static void add_fields(struct strbuf *sb, const struct field *fields, size_t n, const char *before,
		       const char *after)
{
	for (size_t i = 0; i < n; i++)
		strbuf_addf(sb, ", %s%s%s", before, fields[i].column, after);
}

struct err *store_tables_create(struct store *store)
{
	cleanup_strbuf struct strbuf sql = STRBUF_INIT;

	strbuf_adds(&sql,
		    "DROP TABLE IF EXISTS temp.snapshot; DROP TABLE IF EXISTS temp.process;"
		    "DROP TABLE IF EXISTS temp.mapping; DROP TABLE IF EXISTS temp.guest;"
		    "CREATE TEMP TABLE snapshot (snapshot_id INTEGER PRIMARY KEY, probe_id INTEGER NOT NULL,"
		    " name TEXT NOT NULL, is_incomplete INTEGER NOT NULL) STRICT;"
		    "CREATE TEMP TABLE guest (snapshot_id INTEGER NOT NULL, key TEXT NOT NULL,"
		    " value INTEGER NOT NULL) STRICT;"
		    "CREATE INDEX temp.guest_index ON guest(snapshot_id, key);"
		    "CREATE TEMP TABLE process (snapshot_id INTEGER NOT NULL, pid INTEGER NOT NULL");
	add_fields(&sql, process_fields, COUNT(process_fields), "", " INTEGER");
	strbuf_adds(&sql,
		    ", PRIMARY KEY (snapshot_id, pid)) STRICT;"
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

struct err *store_tables_prepare(struct store *store, struct store_tables *t)
{
	cleanup_free char *conflict = process_conflict();
	struct err *e = prepare_insert(store, "mapping", MAPPING_HEAD, MAPPING_HEAD_COLUMNS, smaps_fields,
				       COUNT(smaps_fields), "", &t->mapping);

	if (!e)
		e = prepare_insert(store, "process", PROCESS_HEAD, PROCESS_HEAD_COLUMNS, process_fields,
				   COUNT(process_fields), conflict, &t->process);
	if (!e)
		e = store_prepare(store, "INSERT INTO temp.guest VALUES (?, ?, ?)", &t->guest);
	if (!e)
		e = store_prepare(store, "UPDATE temp.snapshot SET is_incomplete = 1 WHERE snapshot_id = ?",
				  &t->incomplete);
	return e;
}

void store_tables_deinit(struct store_tables *t)
{
	sqlite3_finalize(t->mapping);
	sqlite3_finalize(t->process);
	sqlite3_finalize(t->guest);
	sqlite3_finalize(t->incomplete);
}
