/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/views.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/evidence/guest-file.h"
#include "calibrate/evidence/text.h"
#include "calibrate/evidence/views-kind.h"
#include "calibrate/evidence/views-pages.h"
#include "harness/base/alloc.h"

/* More columns than any view has. */
#define COLUMNS_MAX 64

/*
 * --- Which columns there are, and which names of the kernel they have. Lists are in the kernel's order,
 * which makes finding quick. X(key, column, has_kib)
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

/* clang-format off */
#define NUMBER(name) { (name), false }
#define TEXT(name)   { (name), true }
/* clang-format on */

/* How the kernel calls what is in a column. */
struct field {
	const char *key;
	size_t key_len;
	const char *column;
	bool has_kib; /* "kB" follows the number */
};

/* The fields of one kind of text, in the order in which the kernel writes them. */
struct field_table {
	const struct field *fields;
	size_t n;
	int first_column; /* the column of fields[0]; the others follow */
};

static const struct field smaps_fields[] = { SMAPS_FIELDS(FIELD) };
static const struct field rollup_fields[] = { ROLLUP_FIELDS(FIELD) };
static const struct field status_fields[] = { STATUS_FIELDS(FIELD) };

/* In process: those of status, size_kib, then those of smaps_rollup. */
#define PROCESS_SIZE ((int)(PROCESS_FIELDS + COUNT(status_fields)))

static const struct field_table smaps_field_table = { smaps_fields, COUNT(smaps_fields), MAPPING_FIELDS };
static const struct field_table rollup_field_table = { rollup_fields, COUNT(rollup_fields),
						       PROCESS_SIZE + 1 };
static const struct field_table status_field_table = { status_fields, COUNT(status_fields), PROCESS_FIELDS };

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

/*
 * The number of the field, -1 when there is none. *next is where it is expected: 0 first, then what the last
 * call left there.
 */
static int field_find(const struct field_table *t, size_t *next, struct text_span key, bool has_kib)
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

/* --- The tables under way */

/* Rows of one view, one after the other. */
struct view_table {
	int64_t *cells;
	size_t columns, rows, cap; /* cap in rows */
	size_t first;              /* row of the snapshot under way */
};

/* The process whose pieces come just now. */
struct process_state {
	bool is_open;
	unsigned pid;
	bool has_row;     /* the last row of process is this one's */
	bool has_any;     /* something of it could be read */
	bool has_smaps;   /* all of it could be read */
	bool has_pagemap; /* and it was good */
	bool has_no_memory;
	bool is_rollup_failed;
	int64_t mappings;          /* so far */
	int64_t sums[COLUMNS_MAX]; /* of smaps, by column of process */
};

struct views {
	unsigned set;
	struct view_table tables[VIEW_COUNT];
	void *texts;                  /* tree of struct text, each once */
	int64_t scratch[COLUMNS_MAX]; /* the row of a view that is not asked for */

	bool is_begun;
	int64_t snapshot_id;
	struct process_state process;
	struct mounts mounts;
	struct pages *pages;

	int sum_columns[COLUMNS_MAX]; /* of process, by field of smaps; -1: none */
};

static bool has(const struct views *v, unsigned set)
{
	return v->set & set;
}

/* A number as a cell: none is negative or taken for NULL. */
static int64_t number_cell(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

struct views *views_create(unsigned set)
{
	struct views *v = xcalloc(1, sizeof(*v));

	v->set = set;
	for (enum view i = 0; i < VIEW_COUNT; i++)
		view_columns(i, &v->tables[i].columns);
	for (size_t i = 0; i < smaps_field_table.n; i++)
		v->sum_columns[i] = view_column_find(VIEW_PROCESS, smaps_field_table.fields[i].column);
	v->pages = pages_create();
	return v;
}

void views_destroy(struct views *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < VIEW_COUNT; i++)
		free(v->tables[i].cells);
	tdestroy(v->texts, free);
	mounts_deinit(&v->mounts);
	pages_destroy(v->pages);
	free(v);
}

/* A node of the tree of texts; as a key its span lies elsewhere. */
struct text {
	struct text_span span;
	char data[];
};

/* Shorter ones first: most differ in that. */
static int compare_texts(const void *a, const void *b)
{
	const struct text_span *s = a, *t = b;

	return s->len != t->len ? (s->len > t->len) - (s->len < t->len) : memcmp(s->ptr, t->ptr, s->len);
}

int64_t views_text(struct views *v, const char *text, size_t len)
{
	struct text key = { .span = { len ? text : "", len } };
	struct text **found = tsearch(&key, &v->texts, compare_texts);

	if (!found)
		abort(); /* out of memory */
	if (*found == &key) {
		struct text *copy = xmalloc(sizeof(*copy) + len + 1);

		memcpy(copy->data, key.span.ptr, len);
		copy->data[len] = '\0';
		copy->span = (struct text_span){ copy->data, len };
		*found = copy;
	}
	return (int64_t)(intptr_t)(*found)->data;
}

int64_t views_text_find(const struct views *v, const char *text, size_t len)
{
	const struct text key = { .span = { len ? text : "", len } };
	struct text **found = tfind(&key, &v->texts, compare_texts);

	return found ? (int64_t)(intptr_t)(*found)->data : VIEW_NULL;
}

static int64_t *add_row(struct view_table *t)
{
	if (t->rows == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 64;
		t->cells = xreallocarray(t->cells, t->cap, t->columns * sizeof(*t->cells));
	}
	return &t->cells[t->rows++ * t->columns];
}

int64_t *views_add_row(struct views *v, enum view view)
{
	struct view_table *t = &v->tables[view];
	int64_t *row = has(v, VIEW_BIT(view)) ? add_row(t) : v->scratch;

	assert(v->is_begun);
	row[0] = v->snapshot_id;
	for (size_t i = 1; i < t->columns; i++)
		row[i] = VIEW_NULL;
	return row;
}

size_t views_rows(const struct views *v, enum view view)
{
	return v->tables[view].rows;
}

const int64_t *views_row(const struct views *v, enum view view, size_t row)
{
	return &v->tables[view].cells[row * v->tables[view].columns];
}

/* The first row whose snapshot is not below id. */
static size_t lower_bound(const struct views *v, enum view view, int64_t id)
{
	size_t low = 0, high = views_rows(v, view);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (views_row(v, view, middle)[0] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool views_range(const struct views *v, enum view view, int64_t snapshot_id, size_t *ret_first,
		 size_t *ret_end)
{
	size_t first = lower_bound(v, view, snapshot_id);
	size_t end = snapshot_id == INT64_MAX ? views_rows(v, view) : lower_bound(v, view, snapshot_id + 1);

	if (first >= end)
		return false;
	*ret_first = first;
	*ret_end = end;
	return true;
}

static void set_incomplete(struct views *v)
{
	struct view_table *t = &v->tables[VIEW_SNAPSHOT];

	if (t->rows > t->first)
		t->cells[t->first * t->columns + SNAPSHOT_IS_INCOMPLETE] = 1;
}

/* --- The files of one process, to the rows of process, mapping and unknown */

static int64_t *process_row(struct views *v)
{
	struct process_state *p = &v->process;
	struct view_table *t = &v->tables[VIEW_PROCESS];

	if (p->has_row)
		return has(v, VIEW_BIT(VIEW_PROCESS)) ? &t->cells[(t->rows - 1) * t->columns] : v->scratch;

	int64_t *row = views_add_row(v, VIEW_PROCESS);

	p->has_row = true;
	row[PROCESS_PID] = p->pid;
	return row;
}

static void add_unknown(struct views *v, int64_t n, struct text_span key, uint64_t value)
{
	if (!has(v, VIEW_BIT(VIEW_UNKNOWN)))
		return;

	int64_t *row = views_add_row(v, VIEW_UNKNOWN);

	row[UNKNOWN_PID] = v->process.pid;
	row[UNKNOWN_N] = n;
	row[UNKNOWN_KEY] = views_text(v, key.ptr, key.len);
	row[UNKNOWN_VALUE] = number_cell(value);
}

/* Reading one smaps. */
struct smaps {
	struct views *v;
	int64_t *row;    /* of the mapping at hand; NULL when mapping is not asked for */
	bool is_counted; /* is it one of the process's, not the kernel's [vsyscall]? */
	size_t next;     /* see field_find() */
};

static int64_t text_cell(struct views *v, struct text_span s)
{
	return views_text(v, s.ptr, s.len);
}

static void on_mapping(void *arg, const struct text_mapping *m)
{
	struct smaps *s = arg;
	struct views *v = s->v;
	int64_t n = v->process.mappings++;

	s->is_counted = !text_span_is(m->path, "[vsyscall]");
	s->next = 0;
	if (!has(v, VIEW_BIT(VIEW_MAPPING)))
		return;

	int64_t *row = views_add_row(v, VIEW_MAPPING);

	row[MAPPING_PID] = v->process.pid;
	row[MAPPING_N] = n;
	/* Addresses above 2^63 (vsyscall) come out negative. */
	row[MAPPING_START] = (int64_t)m->start;
	row[MAPPING_END] = (int64_t)m->end;
	row[MAPPING_PERMS] = text_cell(v, m->perms);
	row[MAPPING_OFFSET] = (int64_t)m->offset;
	row[MAPPING_INODE] = (int64_t)m->inode;
	row[MAPPING_PATH] = text_cell(v, m->path);
	row[MAPPING_DEV] = text_cell(v, m->dev);
	s->row = row;
}

/* Sums of real sizes come nowhere near the largest number; those of a damaged text stop there. */
static void add_to_sum(int64_t *sum, int64_t value)
{
	if (*sum == VIEW_NULL)
		*sum = value;
	else if (__builtin_add_overflow(*sum, value, sum))
		*sum = INT64_MAX;
}

static void on_smaps_number(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct smaps *s = arg;
	struct process_state *p = &s->v->process;
	int i = field_find(&smaps_field_table, &s->next, key, has_kib);

	if (i < 0) {
		add_unknown(s->v, p->mappings - 1, key, value);
		return;
	}
	if (s->row)
		s->row[MAPPING_FIELDS + i] = number_cell(value);
	if (s->is_counted && s->v->sum_columns[i] >= 0)
		add_to_sum(&p->sums[s->v->sum_columns[i]], number_cell(value));
}

static void on_smaps_string(void *arg, struct text_span key, struct text_span value)
{
	struct smaps *s = arg;

	if (s->row && text_span_is(key, "VmFlags"))
		s->row[MAPPING_VM_FLAGS] = text_cell(s->v, value);
}

static bool add_smaps(struct views *v, const char *data, size_t len)
{
	struct smaps s = { .v = v };

	process_row(v);

	size_t bad = text_each_smaps(data, len, on_mapping, on_smaps_number, on_smaps_string, &s);

	v->process.has_smaps = bad == 0;
	return bad == 0;
}

/* Reading the smaps of a later moment, of which only Referenced is of use. Both texts are by address. */
struct used {
	struct views *v;
	size_t next;  /* the first row of mapping that may be the next one's */
	int64_t *row; /* of the mapping at hand; NULL: it has no file, or was not there */
};

static void on_used_mapping(void *arg, const struct text_mapping *m)
{
	struct used *u = arg;
	struct view_table *t = &u->v->tables[VIEW_MAPPING];

	for (u->row = NULL; u->next < t->rows; u->next++) {
		int64_t *row = &t->cells[u->next * t->columns];

		if ((uint64_t)row[MAPPING_START] < m->start)
			continue;
		if ((uint64_t)row[MAPPING_START] == m->start && row[MAPPING_INODE] == (int64_t)m->inode)
			u->row = m->inode ? row : NULL;
		return;
	}
}

static void on_used_number(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct used *u = arg;

	if (u->row && has_kib && text_span_is(key, "Referenced"))
		u->row[view_column_find(VIEW_MAPPING, "referenced_kib")] = number_cell(value);
}

static bool add_used(struct views *v, const char *data, size_t len)
{
	struct view_table *t = &v->tables[VIEW_MAPPING];
	struct used u = { .v = v, .next = t->rows - (size_t)v->process.mappings };
	int column = view_column_find(VIEW_MAPPING, "referenced_kib");

	/* A mapping that is gone by then was not used since. */
	for (size_t i = u.next; i < t->rows; i++)
		if (t->cells[i * t->columns + MAPPING_INODE])
			t->cells[i * t->columns + column] = 0;
	return text_each_smaps(data, len, on_used_mapping, on_used_number, NULL, &u) == 0;
}

static void fold_sums(struct views *v)
{
	struct process_state *p = &v->process;

	if (!p->has_row)
		return;

	int64_t *row = process_row(v);

	for (size_t i = 0; i < v->tables[VIEW_PROCESS].columns; i++)
		if (row[i] == VIEW_NULL)
			row[i] = p->sums[i];
}

/* Reading status or smaps_rollup. */
struct numbers {
	struct views *v;
	const struct field_table *fields;
	int64_t *row;
	size_t next;
};

static void on_number(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct numbers *n = arg;
	int i = field_find(n->fields, &n->next, key, has_kib);

	if (i < 0)
		add_unknown(n->v, VIEW_NULL, key, value);
	else
		n->row[n->fields->first_column + i] = number_cell(value);
}

static bool add_rollup(struct views *v, const char *data, size_t len)
{
	struct numbers n = { .v = v, .fields = &rollup_field_table, .row = process_row(v) };

	return text_each_smaps(data, len, NULL, on_number, NULL, &n) == 0;
}

static bool add_status(struct views *v, const char *data, size_t len)
{
	struct numbers n = { .v = v, .fields = &status_field_table, .row = process_row(v) };
	struct text_span name;

	if (text_get_string(data, len, "Name", &name))
		n.row[PROCESS_NAME] = text_cell(v, name);
	return text_each_number(data, len, on_number, &n) == 0;
}

static const char *as_text(int64_t cell, const char *otherwise)
{
	return cell == VIEW_NULL ? otherwise : (const char *)(intptr_t)cell;
}

static void set_kinds(struct views *v)
{
	struct view_table *t = &v->tables[VIEW_MAPPING];
	int64_t dev = VIEW_NULL;
	bool is_tmpfs = false;

	for (size_t i = t->first; i < t->rows; i++) {
		int64_t *row = &t->cells[i * t->columns];

		/* A row that was made from a model has its kind already. */
		if (row[MAPPING_KIND] != VIEW_NULL || row[MAPPING_PATH] == VIEW_NULL)
			continue;
		/* Neighbours are often of one device, and equal texts are one. */
		if (row[MAPPING_DEV] != dev) {
			dev = row[MAPPING_DEV];
			is_tmpfs = mounts_is_tmpfs(&v->mounts, as_text(dev, ""));
		}

		struct mapping_facts f = {
			.path = as_text(row[MAPPING_PATH], ""),
			.perms = as_text(row[MAPPING_PERMS], ""),
			.dev = as_text(dev, ""),
			.vm_flags = as_text(row[MAPPING_VM_FLAGS], NULL),
			.is_tmpfs = is_tmpfs,
		};

		const char *kind = mapping_kind(&f);

		row[MAPPING_KIND] = views_text(v, kind, strlen(kind));
	}
}

static bool add_statm(struct views *v, const char *data, size_t len)
{
	/* A process without memory, as a zombie is: its first number, the size, is 0. */
	v->process.has_no_memory = len >= 2 && data[0] == '0' && data[1] == ' ';
	return true;
}

static bool add_pagemap(struct views *v, const char *data, size_t len)
{
	return v->process.has_pagemap = pages_add(v->pages, data, len);
}

/* What is made of which file of a process, and how. The last returns whether the piece was whole. */
static const struct process_file {
	const char *name;
	unsigned set;
	bool (*add)(struct views *v, const char *data, size_t len);
} process_files[] = {
	{ "smaps", VIEW_BIT(VIEW_PROCESS) | VIEW_BIT(VIEW_MAPPING) | VIEW_BIT(VIEW_UNKNOWN), add_smaps },
	{ "smaps_rollup", VIEW_BIT(VIEW_PROCESS) | VIEW_BIT(VIEW_UNKNOWN), add_rollup },
	{ "status", VIEW_BIT(VIEW_PROCESS) | VIEW_BIT(VIEW_UNKNOWN), add_status },
	{ "pagemap", VIEW_BIT(VIEW_PAGES), add_pagemap },
	{ "statm", VIEW_BIT(VIEW_PAGES), add_statm },
	{ VIEWS_USED, VIEW_BIT(VIEW_MAPPING), add_used },
};

/* NULL when the file is of no use for the set. */
static const struct process_file *find_process_file(const struct views *v, const char *name)
{
	for (size_t i = 0; i < COUNT(process_files); i++)
		if (strcmp(name, process_files[i].name) == 0 && has(v, process_files[i].set))
			return &process_files[i];
	return NULL;
}

/* --- The files of the guest */

struct guest_rows {
	struct views *v;
	enum view view;
};

static void on_guest_number(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	struct guest_rows *g = arg;
	int64_t *row = views_add_row(g->v, g->view);

	(void)has_kib;
	row[GUEST_KEY] = text_cell(g->v, key);
	row[GUEST_VALUE] = number_cell(value);
}

static void add_guest(struct views *v, enum view view, const char *name, const char *data, size_t len)
{
	struct guest_rows rows = { v, view };

	guest_file_each_number(name, data, len, on_guest_number, &rows);
}

/* --- Snapshots */

bool views_want_baseline(const struct views *v, const char *name)
{
	return has(v, VIEW_BIT(VIEW_BASELINE)) && guest_file_is_one(name);
}

bool views_want(const struct views *v, unsigned pid, const char *name)
{
	if (!pid && strcmp(name, "mountinfo") == 0)
		return has(v, VIEW_BIT(VIEW_MAPPING));
	if (!pid)
		return has(v, VIEW_BIT(VIEW_GUEST)) && guest_file_is_one(name);
	return find_process_file(v, name);
}

static void end_process(struct views *v)
{
	struct process_state *p = &v->process;

	if (!p->is_open)
		return;
	fold_sums(v);
	/* smaps says nearly all that smaps_rollup says, and older kernels have only that. */
	if (p->is_rollup_failed && !p->has_smaps && find_process_file(v, "smaps"))
		set_incomplete(v);
	/* A process that vanished while others were read has no pages any more. */
	if (p->has_any && !p->has_pagemap && !p->has_no_memory)
		pages_set_missing(v->pages);
	p->is_open = false;
}

static void enter_process(struct views *v, unsigned pid)
{
	struct process_state *p = &v->process;

	if (p->is_open && p->pid == pid)
		return;
	end_process(v);
	*p = (struct process_state){ .is_open = true, .pid = pid };
	for (size_t i = 0; i < COUNT(p->sums); i++)
		p->sums[i] = VIEW_NULL;
}

void views_begin(struct views *v, int64_t snapshot_id, int64_t probe_id, const char *name)
{
	if (v->is_begun)
		views_end(v);
	v->is_begun = true;
	v->snapshot_id = snapshot_id;
	for (size_t i = 0; i < VIEW_COUNT; i++)
		v->tables[i].first = v->tables[i].rows;
	mounts_clear(&v->mounts);
	pages_begin(v->pages);

	int64_t *row = views_add_row(v, VIEW_SNAPSHOT);

	row[SNAPSHOT_PROBE_ID] = probe_id;
	row[SNAPSHOT_NAME] = views_text(v, name, strlen(name));
	row[SNAPSHOT_IS_INCOMPLETE] = 0;
}

void views_end(struct views *v)
{
	const char *state, *backing;

	if (!v->is_begun)
		return;
	end_process(v);
	if (has(v, VIEW_BIT(VIEW_MAPPING)))
		set_kinds(v);
	pages_end(v->pages);
	for (size_t i = 0; i < pages_rows(v->pages); i++) {
		int64_t *row = views_add_row(v, VIEW_PAGES);

		pages_fill_row(v->pages, i, row, &state, &backing);
		row[PAGES_STATE] = views_text(v, state, strlen(state));
		row[PAGES_BACKING] = views_text(v, backing, strlen(backing));
	}
	v->is_begun = false;
}

void views_add(struct views *v, unsigned pid, const char *name, const char *data, size_t len)
{
	assert(v->is_begun);
	if (pid) {
		const struct process_file *file = find_process_file(v, name);

		enter_process(v, pid);
		v->process.has_any = true;
		if (file && !file->add(v, data, len))
			set_incomplete(v);
	} else if (views_want(v, pid, name)) {
		if (strcmp(name, "mountinfo") == 0)
			mounts_add(&v->mounts, data, len);
		else
			add_guest(v, VIEW_GUEST, name, data, len);
	}
}

void views_add_baseline(struct views *v, const char *name, const char *data, size_t len)
{
	assert(v->is_begun);
	if (views_want_baseline(v, name))
		add_guest(v, VIEW_BASELINE, name, data, len);
}

void views_add_failed(struct views *v, unsigned pid, const char *name)
{
	assert(v->is_begun);
	/* Not every kernel has every file of the guest; a missing one makes no rows. */
	if (!pid)
		return;
	enter_process(v, pid);
	if (strcmp(name, "smaps_rollup") == 0)
		v->process.is_rollup_failed = true;
	else if (strcmp(name, "pagemap") != 0)
		set_incomplete(v);
}
