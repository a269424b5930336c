/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/known.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "guest/pages.h"
#include "harness/base/alloc.h"

/* Of x86-64: a page table has 512 entries, so that one of 4 KiB maps 2 MiB. */
#define TABLE_SPAN_KIB 2048

/* Memory of one sort, as it really is: the closed form. */
struct sort {
	uint64_t kib;     /* physical; virtual for BACKING_ZERO */
	unsigned mappers; /* processes that map each of its pages; 0: nobody */
	enum backing {
		BACKING_ANON,
		BACKING_SHMEM,
		BACKING_FILE,
		BACKING_ZERO,
		BACKING_PAGE_TABLE,
	} backing;
	bool is_dirty, is_lazyfree, is_mlocked;
};

#define SORTS_MAX 2

/* summary: one line on what the kind shows. sort: of its memory, or of most of it. */
static const struct {
	const char *name, *summary;
	struct sort sort;
} kinds[KNOWN_COUNT] = {
	[KNOWN_PRIVATE_DIRTY] = { "private-dirty",
				  "private memory, written: what the ballast is",
				  { .mappers = 1, .is_dirty = true } },
	[KNOWN_ZERO_READ] = { "zero-read",
			      "private memory, only read: the page of zeros",
			      { .mappers = 1, .backing = BACKING_ZERO } },
	[KNOWN_FILE_CLEAN] = { "file-clean",
			       "a file mapped and read: can be dropped",
			       { .mappers = 1, .backing = BACKING_FILE } },
	[KNOWN_FILE_DIRTY] = { "file-dirty",
			       "a file mapped and written: can be written back",
			       { .mappers = 1, .backing = BACKING_FILE, .is_dirty = true } },
	[KNOWN_SHMEM] = { "shmem",
			  "shared memory, mapped and written",
			  { .mappers = 1, .backing = BACKING_SHMEM, .is_dirty = true } },
	[KNOWN_TMPFS] = { "tmpfs",
			  "a file in memory that nobody maps",
			  { .backing = BACKING_SHMEM, .is_dirty = true } },
	[KNOWN_FORKED_COW] = { "forked-cow",
			       "forked processes, each with changes of its own",
			       { .is_dirty = true } },
	[KNOWN_LAZYFREE] = { "lazyfree",
			     "written, then given back with MADV_FREE",
			     { .mappers = 1, .is_lazyfree = true } },
	[KNOWN_MLOCKED] = { "mlocked",
			    "private memory, locked in RAM",
			    { .mappers = 1, .is_dirty = true, .is_mlocked = true } },
	[KNOWN_THP_HOLES] = { "thp-holes",
			      "huge pages, half of each given back",
			      { .mappers = 1, .is_dirty = true } },
	[KNOWN_PAGE_TABLES] = { "page-tables",
				"half page tables, half the pages in them",
				{ .mappers = 1, .is_dirty = true } },
};

const char *known_kind_name(enum known_kind kind)
{
	return kinds[kind].name;
}

bool known_kind_parse(const char *name, enum known_kind *ret)
{
	for (int i = 0; i < KNOWN_COUNT; i++)
		if (strcmp(kinds[i].name, name) == 0) {
			*ret = (enum known_kind)i;
			return true;
		}
	return false;
}

const char *known_kind_summary(enum known_kind kind)
{
	return kinds[kind].summary;
}

bool known_kind_needs_disk(enum known_kind kind)
{
	return kinds[kind].sort.backing == BACKING_FILE;
}

/* What each child of a forked-cow load has changed, in whole pages, as guest/loads/known.c counts. */
static uint64_t changed_kib(const struct known_spec *spec)
{
	return spec->kib / PAGE_KIB * spec->dirty_pct / 100 * PAGE_KIB;
}

/* What the load holds when it is complete, without what any program holds; returns the number of sorts. */
static size_t truth(const struct known_spec *spec, struct sort sorts[SORTS_MAX])
{
	sorts[0] = kinds[spec->kind].sort;
	sorts[0].kib = spec->kib;
	if (spec->kind == KNOWN_FORKED_COW) {
		/* What was changed, a copy for each child; the original went to the last one. */
		sorts[1] = (struct sort){ changed_kib(spec) * spec->children, 1, .is_dirty = true };
		sorts[0].kib -= changed_kib(spec);
		sorts[0].mappers = spec->children;
	} else if (spec->kind == KNOWN_THP_HOLES) {
		/* Nobody maps the half that was given back, but its huge pages stay whole for now. */
		sorts[1] = sorts[0];
		sorts[1].mappers = 0;
	} else if (spec->kind == KNOWN_PAGE_TABLES) {
		sorts[0].kib /= 2;
		sorts[1] = sorts[0];
		sorts[1].backing = BACKING_PAGE_TABLE;
	} else {
		return 1;
	}
	return 2;
}

/* Memory that no file and no process has is free as soon as the kernel gets round to it. */
static bool must_stay(const struct sort *s)
{
	bool is_left_over = s->backing == BACKING_ANON && s->mappers == 0;

	return s->backing != BACKING_FILE && s->backing != BACKING_ZERO && !s->is_lazyfree && !is_left_over;
}

uint64_t known_weight_kib(const struct known_spec *spec)
{
	struct sort sorts[SORTS_MAX];
	size_t n = truth(spec, sorts);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += must_stay(&sorts[i]) ? sorts[i].kib : 0;
	return sum;
}

/* --- What an ideal kernel says of it */

/*
 * The snapshot that an ideal kernel would give of a known-answer load: exact, of the load alone, and with
 * nothing reclaimed, aged or written back yet. What an idle process has anyway (program, stack, kernel stack)
 * is not in it, except as rows of zeros: every process maps something, so that a sum over rows is 0 and not
 * unknown.
 */

/* The parent of forked processes, or the only process; its children count from there. */
#define FIRST_PID 100

/* What the guest's own numbers were before the load. Any number that keeps them positive would do. */
#define BASELINE_KIB ((int64_t)1 << 40)

/* clang-format off */
/* What smaps says of memory, by the names of its columns; some of it is 0 whatever the load is. */
#define MEMORY_FIELDS(X)                                                                              \
	X(size) X(rss) X(pss) X(pss_dirty) X(shared_clean) X(shared_dirty) X(private_clean)           \
	X(private_dirty) X(anonymous) X(ksm) X(lazyfree) X(anon_huge_pages) X(shmem_pmd_mapped)       \
	X(file_pmd_mapped) X(shared_hugetlb) X(private_hugetlb) X(swap) X(swap_pss) X(locked)

/* What status and smaps_rollup say besides. */
#define PROCESS_FIELDS(X)                                                                             \
	X(vm_size) X(vm_lck) X(vm_pin) X(vm_rss) X(rss_anon) X(rss_file) X(rss_shmem) X(vm_pte)       \
	X(vm_swap) X(hugetlb_pages) X(pss_anon) X(pss_file) X(pss_shmem)
/* clang-format on */

#define DECLARE_FIELD(name) uint64_t name;
#define ADD_FIELD(name)     sum->name += f->name;
#define SET_FIELD(name)     set(cells, view, #name "_kib", (int64_t)f->name);

struct fields {
	MEMORY_FIELDS(DECLARE_FIELD)
	PROCESS_FIELDS(DECLARE_FIELD)
};

static void add_fields(struct fields *sum, const struct fields *f)
{
	MEMORY_FIELDS(ADD_FIELD)
	PROCESS_FIELDS(ADD_FIELD)
}

static void set(int64_t *cells, enum view view, const char *column, int64_t value)
{
	int i = view_column_find(view, column);

	assert(i >= 0);
	cells[i] = value;
}

static void set_text(struct views *v, int64_t *cells, enum view view, const char *column, const char *text)
{
	set(cells, view, column, views_text(v, text, strlen(text)));
}

/* The columns that mapping and process share. What was referenced lately does not follow from a size. */
static void set_fields(int64_t *cells, enum view view, const struct fields *f)
{
	MEMORY_FIELDS(SET_FIELD)
}

static unsigned holders(const struct known_spec *spec)
{
	return spec->kind == KNOWN_FORKED_COW ? spec->children : 1;
}

/* The address space that memory of a sort is in. */
static uint64_t span_kib(const struct known_spec *spec, uint64_t kib)
{
	if (spec->kind == KNOWN_THP_HOLES)
		return 2 * kib;
	if (spec->kind == KNOWN_PAGE_TABLES)
		return kib / PAGE_KIB * TABLE_SPAN_KIB;
	return kib;
}

/* What smaps and status of one process say of a sort that it holds. */
static struct fields fields_of(const struct known_spec *spec, const struct sort *s)
{
	uint64_t kib = s->kib * s->mappers / holders(spec);
	bool is_anon = s->backing == BACKING_ANON, is_zero = s->backing == BACKING_ZERO;
	struct fields f = { .size = span_kib(spec, kib) };

	f.vm_size = f.size;
	f.vm_pte = (f.size + TABLE_SPAN_KIB - 1) / TABLE_SPAN_KIB * PAGE_KIB;
	/* No process owns the page of zeros. */
	if (is_zero)
		return f;
	f.rss = f.vm_rss = kib;
	f.pss = kib / s->mappers;
	f.pss_dirty = s->is_dirty ? f.pss : 0;
	*(is_anon ? &f.pss_anon : s->backing == BACKING_FILE ? &f.pss_file : &f.pss_shmem) = f.pss;
	if (s->mappers > 1)
		*(s->is_dirty ? &f.shared_dirty : &f.shared_clean) = kib;
	else
		*(s->is_dirty ? &f.private_dirty : &f.private_clean) = kib;
	f.anonymous = f.rss_anon = is_anon ? kib : 0;
	f.lazyfree = s->is_lazyfree ? kib : 0;
	f.locked = s->is_mlocked ? f.pss : 0;
	f.vm_lck = s->is_mlocked ? kib : 0;
	f.rss_file = s->backing == BACKING_FILE ? kib : 0;
	f.rss_shmem = s->backing == BACKING_SHMEM ? kib : 0;
	return f;
}

static void add_mapping(struct views *v, const struct sort *s, unsigned pid, int64_t n,
			const struct fields *f)
{
	static const struct {
		const char *perms, *dev, *path, *kind;
	} texts[] = {
		[BACKING_ANON] = { "rw-p", "00:00", "", "anon" },
		[BACKING_SHMEM] = { "rw-s", "00:01", "/dev/zero (deleted)", "shmem" },
		[BACKING_FILE] = { "r--p", "fe:20", "/scratch/known", "file_ro" },
		[BACKING_ZERO] = { "rw-p", "00:00", "", "anon" },
	};
	bool is_written_file = s->backing == BACKING_FILE && s->is_dirty;
	int64_t *cells = views_add_row(v, VIEW_MAPPING);

	set(cells, VIEW_MAPPING, "pid", pid);
	set(cells, VIEW_MAPPING, "n", n);
	set(cells, VIEW_MAPPING, "offset", 0);
	set_text(v, cells, VIEW_MAPPING, "perms", is_written_file ? "rw-s" : texts[s->backing].perms);
	set_text(v, cells, VIEW_MAPPING, "dev", texts[s->backing].dev);
	set_text(v, cells, VIEW_MAPPING, "path", texts[s->backing].path);
	set_text(v, cells, VIEW_MAPPING, "kind", is_written_file ? "file_shared" : texts[s->backing].kind);
	set(cells, VIEW_MAPPING, "kernel_page_size_kib", PAGE_KIB);
	set(cells, VIEW_MAPPING, "mmu_page_size_kib", PAGE_KIB);
	set_fields(cells, VIEW_MAPPING, f);
}

static void add_process(struct views *v, unsigned pid, const struct fields *f)
{
	const enum view view = VIEW_PROCESS;
	int64_t *cells = views_add_row(v, view);

	set(cells, view, "pid", pid);
	set(cells, view, "ppid", pid == FIRST_PID ? 1 : FIRST_PID);
	set(cells, view, "threads", 1);
	set_text(v, cells, view, "name", "known");
	set_fields(cells, view, f);
	PROCESS_FIELDS(SET_FIELD)
}

/* Returns what all processes together have. */
static struct fields add_processes(struct views *v, const struct known_spec *spec, const struct sort *sorts,
				   size_t n)
{
	unsigned children = spec->kind == KNOWN_FORKED_COW ? spec->children : 0;
	const struct sort nothing = { .backing = BACKING_ANON };
	struct fields all = { 0 };

	for (unsigned i = 0; i <= children; i++) {
		struct fields sum = { 0 };
		bool holds = children == 0 || i > 0;

		add_mapping(v, &nothing, FIRST_PID + i, 0, &sum);
		for (size_t j = 0; holds && j < n; j++) {
			if (!sorts[j].mappers || sorts[j].backing == BACKING_PAGE_TABLE)
				continue;

			struct fields f = fields_of(spec, &sorts[j]);

			add_mapping(v, &sorts[j], FIRST_PID + i, (int64_t)j + 1, &f);
			add_fields(&sum, &f);
		}
		add_process(v, FIRST_PID + i, &sum);
		add_fields(&all, &sum);
	}
	return all;
}

static void add_pages(struct views *v, const struct known_spec *spec, const struct sort *s)
{
	static const char *const backings[] = {
		[BACKING_ANON] = "anon",
		[BACKING_SHMEM] = "shmem",
		[BACKING_FILE] = "file",
		[BACKING_ZERO] = "zero",
	};
	const enum view view = VIEW_PAGES;
	int64_t *cells = views_add_row(v, view);

	set(cells, view, "is_lazyfree", s->is_lazyfree);
	set(cells, view, "is_ksm", 0);
	set(cells, view, "is_huge", s->kib && spec->kind == KNOWN_THP_HOLES);
	set(cells, view, "is_mlocked", s->is_mlocked);
	set(cells, view, "is_shared_outside", 0);
	set(cells, view, "mappers", s->mappers);
	set(cells, view, "kib", (int64_t)(s->backing == BACKING_ZERO ? PAGE_KIB : s->kib));
	set(cells, view, "mapped_kib", (int64_t)(s->kib * s->mappers));
	set_text(v, cells, view, "state", "resident");
	set_text(v, cells, view, "backing", backings[s->backing]);
	/* For other pages kernels keep this in the page tables, or not at all. */
	if (s->backing == BACKING_FILE)
		set(cells, view, "is_dirty", s->is_dirty);
}

/* --- The guest's own numbers */

struct totals {
	uint64_t anon;                              /* of processes */
	uint64_t left_over;                         /* of nobody any more */
	uint64_t file, shmem, dirty, mapped;        /* page cache; dirty of file, mapped of both */
	uint64_t lazyfree, mlocked, locked_or_lazy; /* of anon; the sum of both */
	uint64_t tables;
};

static struct totals totals_of(const struct sort *sorts, size_t n, const struct fields *processes)
{
	struct totals t = { .tables = processes->vm_pte };

	for (size_t i = 0; i < n; i++) {
		const struct sort *s = &sorts[i];
		bool is_cache = s->backing == BACKING_FILE || s->backing == BACKING_SHMEM;

		if (s->backing == BACKING_ANON)
			*(s->mappers ? &t.anon : &t.left_over) += s->kib;
		else if (is_cache)
			*(s->backing == BACKING_FILE ? &t.file : &t.shmem) += s->kib;
		t.dirty += s->backing == BACKING_FILE && s->is_dirty ? s->kib : 0;
		t.mapped += is_cache && s->mappers ? s->kib : 0;
		t.lazyfree += s->is_lazyfree ? s->kib : 0;
		t.mlocked += s->is_mlocked ? s->kib : 0;
	}
	t.locked_or_lazy = t.lazyfree + t.mlocked;
	return t;
}

static void add_number(struct views *v, enum view view, const char *file, const char *name, int64_t value)
{
	int64_t *cells = views_add_row(v, view);
	char key[64];

	snprintf(key, sizeof(key), "%s.%s", file, name);
	set_text(v, cells, view, "key", key);
	set(cells, view, "value", value);
}

struct number {
	const char *key;
	uint64_t kib;
};

/* The load's cgroup, in bytes. Lists of new pages are the inactive ones; all that counts is their sum. */
static void add_cgroup(struct views *v, const struct totals *t)
{
	const struct number numbers[] = {
		{ "current", t->anon + t->left_over + t->file + t->shmem + t->tables },
		{ "swap.current", 0 },
		{ "stat.anon", t->anon },
		{ "stat.file", t->file + t->shmem },
		{ "stat.kernel", t->tables },
		{ "stat.pagetables", t->tables },
		{ "stat.shmem", t->shmem },
		{ "stat.file_mapped", t->mapped },
		{ "stat.file_dirty", t->dirty },
		{ "stat.inactive_anon", t->anon + t->left_over - t->locked_or_lazy + t->shmem },
		{ "stat.inactive_file", t->file + t->lazyfree },
		{ "stat.unevictable", t->mlocked },
	};
	static const char *const zeros[] = { "stat.kernel_stack",
					     "stat.percpu",
					     "stat.sock",
					     "stat.vmalloc",
					     "stat.zswap",
					     "stat.zswapped",
					     "stat.file_writeback",
					     "stat.swapcached",
					     "stat.anon_thp",
					     "stat.file_thp",
					     "stat.shmem_thp",
					     "stat.active_anon",
					     "stat.active_file",
					     "stat.slab_reclaimable",
					     "stat.slab_unreclaimable",
					     "stat.slab" };

	for (size_t i = 0; i < COUNT(zeros); i++)
		add_number(v, VIEW_GUEST, "memory", zeros[i], 0);
	for (size_t i = 0; i < COUNT(numbers); i++)
		add_number(v, VIEW_GUEST, "memory", numbers[i].key, (int64_t)numbers[i].kib * 1024);
}

static void add_change(struct views *v, const char *key, int64_t change_kib)
{
	add_number(v, VIEW_BASELINE, "meminfo", key, BASELINE_KIB);
	add_number(v, VIEW_GUEST, "meminfo", key, BASELINE_KIB + change_kib);
}

/*
 * meminfo beside a baseline. MemAvailable, the kernel's guess, takes in a part of the page cache that depends
 * on the guest, and memory that is freed lazily stands in the same lists: with either it does not follow.
 */
static void add_meminfo(struct views *v, const struct totals *t)
{
	uint64_t all = t->anon + t->left_over + t->file + t->shmem + t->tables;
	const struct number more[] = {
		{ "Cached", t->file + t->shmem },
		{ "Inactive(anon)", t->anon + t->left_over - t->locked_or_lazy + t->shmem },
		{ "Inactive(file)", t->file + t->lazyfree },
		{ "Unevictable", t->mlocked },
		{ "Mlocked", t->mlocked },
		{ "Dirty", t->dirty },
		{ "AnonPages", t->anon },
		{ "Mapped", t->mapped },
		{ "Shmem", t->shmem },
		{ "PageTables", t->tables },
	};
	static const char *const same[] = { "MemTotal",     "Buffers",     "SwapCached",   "Active(anon)",
					    "Active(file)", "SwapTotal",   "SwapFree",     "Writeback",
					    "KReclaimable", "Slab",        "SReclaimable", "SUnreclaim",
					    "KernelStack",  "VmallocUsed", "Percpu",       "AnonHugePages" };

	for (size_t i = 0; i < COUNT(same); i++)
		add_change(v, same[i], 0);
	for (size_t i = 0; i < COUNT(more); i++)
		add_change(v, more[i].key, (int64_t)more[i].kib);
	add_change(v, "MemFree", -(int64_t)all);
	add_number(v, VIEW_BASELINE, "meminfo", "MemAvailable", BASELINE_KIB);
	if (t->file + t->lazyfree == 0)
		add_number(v, VIEW_GUEST, "meminfo", "MemAvailable", BASELINE_KIB - (int64_t)all);
}

void known_add_ideal(struct views *v, int64_t snapshot_id, const struct known_spec *spec)
{
	struct sort sorts[SORTS_MAX];
	size_t n = truth(spec, sorts);

	views_begin(v, snapshot_id, snapshot_id, "load");

	struct fields processes = add_processes(v, spec, sorts, n);
	struct totals totals = totals_of(sorts, n, &processes);

	add_pages(v, spec, &(const struct sort){ .mappers = 1, .backing = BACKING_ANON });
	for (size_t i = 0; i < n; i++)
		if (sorts[i].mappers && sorts[i].backing != BACKING_PAGE_TABLE)
			add_pages(v, spec, &sorts[i]);
	add_cgroup(v, &totals);
	add_meminfo(v, &totals);
	views_end(v);
}
