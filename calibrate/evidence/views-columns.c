/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/views-columns.h"

#include <string.h>

#include "calibrate/evidence/views.h"

/*
 * Which columns there are and which names of the kernel they have. Lists are in the kernel's order, which
 * makes finding quick. X(key, column, has_kib)
 */

/* Of smaps and of its sum, smaps_rollup, alike. */
#define COMMON_FIELDS(X)                                                                                     \
	X("Shared_Clean", "shared_clean_kib", true)                                                          \
	X("Shared_Dirty", "shared_dirty_kib", true)                                                          \
	X("Private_Clean", "private_clean_kib", true)                                                        \
	X("Private_Dirty", "private_dirty_kib", true)                                                        \
	X("Referenced", "referenced_kib", true)                                                              \
	X("Anonymous", "anonymous_kib", true)                                                                \
	X("KSM", "ksm_kib", true)                                                                            \
	X("LazyFree", "lazyfree_kib", true)                                                                  \
	X("AnonHugePages", "anon_huge_pages_kib", true)                                                      \
	X("ShmemPmdMapped", "shmem_pmd_mapped_kib", true)                                                    \
	X("FilePmdMapped", "file_pmd_mapped_kib", true)                                                      \
	X("Shared_Hugetlb", "shared_hugetlb_kib", true)                                                      \
	X("Private_Hugetlb", "private_hugetlb_kib", true)                                                    \
	X("Swap", "swap_kib", true)                                                                          \
	X("SwapPss", "swap_pss_kib", true)                                                                   \
	X("Locked", "locked_kib", true)

/* Every field that a kernel from 2.6.14 on ever had, but VmFlags, which are text. */
#define SMAPS_FIELDS(X)                                                                                      \
	X("Size", "size_kib", true)                                                                          \
	X("KernelPageSize", "kernel_page_size_kib", true)                                                    \
	X("MMUPageSize", "mmu_page_size_kib", true)                                                          \
	X("Rss", "rss_kib", true)                                                                            \
	X("Pss", "pss_kib", true)                                                                            \
	X("Pss_Dirty", "pss_dirty_kib", true)                                                                \
	COMMON_FIELDS(X)                                                                                     \
	X("THPeligible", "thp_eligible", false)                                                              \
	X("ProtectionKey", "protection_key", false)                                                          \
	X("Nonlinear", "nonlinear_kib", true)

#define ROLLUP_FIELDS(X)                                                                                     \
	X("Rss", "rss_kib", true)                                                                            \
	X("Pss", "pss_kib", true)                                                                            \
	X("Pss_Dirty", "pss_dirty_kib", true)                                                                \
	X("Pss_Anon", "pss_anon_kib", true)                                                                  \
	X("Pss_File", "pss_file_kib", true)                                                                  \
	X("Pss_Shmem", "pss_shmem_kib", true)                                                                \
	COMMON_FIELDS(X)

#define STATUS_FIELDS(X)                                                                                     \
	X("PPid", "ppid", false)                                                                             \
	X("VmPeak", "vm_peak_kib", true)                                                                     \
	X("VmSize", "vm_size_kib", true)                                                                     \
	X("VmLck", "vm_lck_kib", true)                                                                       \
	X("VmPin", "vm_pin_kib", true)                                                                       \
	X("VmHWM", "vm_hwm_kib", true)                                                                       \
	X("VmRSS", "vm_rss_kib", true)                                                                       \
	X("RssAnon", "rss_anon_kib", true)                                                                   \
	X("RssFile", "rss_file_kib", true)                                                                   \
	X("RssShmem", "rss_shmem_kib", true)                                                                 \
	X("VmData", "vm_data_kib", true)                                                                     \
	X("VmStk", "vm_stk_kib", true)                                                                       \
	X("VmExe", "vm_exe_kib", true)                                                                       \
	X("VmLib", "vm_lib_kib", true)                                                                       \
	X("VmPTE", "vm_pte_kib", true)                                                                       \
	X("VmPMD", "vm_pmd_kib", true)                                                                       \
	X("VmSwap", "vm_swap_kib", true)                                                                     \
	X("HugetlbPages", "hugetlb_pages_kib", true)                                                         \
	X("Threads", "threads", false)

#define FIELD(key, column, has_kib)  { (key), sizeof(key) - 1, (column), (has_kib) },
#define COLUMN(key, column, has_kib) { (column), false },

#define NUMBER(name)                                                                                         \
	{                                                                                                    \
		(name), false                                                                                \
	}
#define TEXT(name)                                                                                           \
	{                                                                                                    \
		(name), true                                                                                 \
	}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct field smaps_fields[] = { SMAPS_FIELDS(FIELD) };
static const struct field rollup_fields[] = { ROLLUP_FIELDS(FIELD) };
static const struct field status_fields[] = { STATUS_FIELDS(FIELD) };

/* In process: those of status, size_kib, then those of smaps_rollup. */
#define PROCESS_SIZE ((int)(PROCESS_FIELDS + COUNT(status_fields)))

const struct field_table smaps_field_table = { smaps_fields, COUNT(smaps_fields), MAPPING_FIELDS };
const struct field_table rollup_field_table = { rollup_fields, COUNT(rollup_fields), PROCESS_SIZE + 1 };
const struct field_table status_field_table = { status_fields, COUNT(status_fields), PROCESS_FIELDS };

static const struct view_column snapshot_columns[] = {
	NUMBER("snapshot_id"),
	NUMBER("probe_id"),
	TEXT("name"),
	NUMBER("is_incomplete"),
};

static const struct view_column process_columns[] = {
	/* clang-format off */
	NUMBER("snapshot_id"), NUMBER("pid"), TEXT("name"),
	STATUS_FIELDS(COLUMN)
	NUMBER("size_kib"),
	ROLLUP_FIELDS(COLUMN)
	/* clang-format on */
};

static const struct view_column mapping_columns[] = {
	/* clang-format off */
	NUMBER("snapshot_id"), NUMBER("pid"), NUMBER("n"), NUMBER("start"), NUMBER("end"), TEXT("perms"),
	NUMBER("offset"), NUMBER("inode"), TEXT("path"), TEXT("dev"), TEXT("kind"), TEXT("vm_flags"),
	SMAPS_FIELDS(COLUMN)
	/* clang-format on */
};

static const struct view_column unknown_columns[] = {
	NUMBER("snapshot_id"), NUMBER("pid"), NUMBER("n"), TEXT("key"), NUMBER("value"),
};

static const struct view_column pages_columns[] = {
	NUMBER("snapshot_id"),       TEXT("state"),     TEXT("backing"),   NUMBER("is_dirty"),
	NUMBER("is_lazyfree"),       NUMBER("is_ksm"),  NUMBER("is_huge"), NUMBER("is_mlocked"),
	NUMBER("is_shared_outside"), NUMBER("mappers"), NUMBER("kib"),     NUMBER("mapped_kib"),
};

static const struct view_column guest_columns[] = {
	NUMBER("snapshot_id"),
	TEXT("key"),
	NUMBER("value"),
};

_Static_assert(COUNT(process_columns) <= COLUMNS_MAX && COUNT(mapping_columns) <= COLUMNS_MAX,
	       "COLUMNS_MAX is too small");

static const struct {
	const char *name;
	const struct view_column *columns;
	size_t n;
} views[VIEW_COUNT] = {
	[VIEW_SNAPSHOT] = { "snapshot", snapshot_columns, COUNT(snapshot_columns) },
	[VIEW_PROCESS] = { "process", process_columns, COUNT(process_columns) },
	[VIEW_MAPPING] = { "mapping", mapping_columns, COUNT(mapping_columns) },
	[VIEW_UNKNOWN] = { "unknown", unknown_columns, COUNT(unknown_columns) },
	[VIEW_PAGES] = { "pages", pages_columns, COUNT(pages_columns) },
	[VIEW_GUEST] = { "guest", guest_columns, COUNT(guest_columns) },
	[VIEW_BASELINE] = { "baseline", guest_columns, COUNT(guest_columns) },
};

const char *view_name(enum view view)
{
	return views[view].name;
}

const struct view_column *view_columns(enum view view, size_t *ret_n)
{
	*ret_n = views[view].n;
	return views[view].columns;
}

int view_column_find(enum view view, const char *name)
{
	for (size_t i = 0; i < views[view].n; i++)
		if (strcmp(views[view].columns[i].name, name) == 0)
			return (int)i;
	return -1;
}

int field_find(const struct field_table *t, size_t *next, struct text_span key, bool has_kib)
{
	/*
	 * Looks at each field once, from the expected one on: a kernel lacks some fields, but keeps their
	 * order.
	 */
	for (size_t i = *next, left = t->n; left > 0; left--, i++) {
		const struct field *f = &t->fields[i = i < t->n ? i : 0];

		if (f->key_len == key.len && f->has_kib == has_kib && !memcmp(f->key, key.ptr, key.len)) {
			*next = i + 1;
			return (int)i;
		}
	}
	return -1;
}
