/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/known.h"

#include <assert.h>
#include <string.h>

/*
 * The snapshot that an ideal kernel would give of a known-answer load: exact, of the load alone, and with
 * nothing reclaimed, aged or written back yet. What an idle process has anyway (program, stack, kernel stack)
 * is not in it, except as rows of zeros: every process maps something, so that a sum over rows is 0 and not
 * unknown.
 */

#define PAGE_KIB 4

/* Of x86-64: a page table has 512 entries, so that one of 4 KiB maps 2 MiB. */
#define TABLE_SPAN_KIB 2048

/* The parent of forked processes, or the only process; its children count from there. */
#define FIRST_PID 100

/* What the guest's own numbers were before the load. Any number that keeps them positive would do. */
#define BASELINE_KIB ((int64_t)1 << 40)

/* What smaps says of memory. */
struct fields {
	uint64_t size, rss, pss, pss_dirty, pss_anon, pss_file, pss_shmem;
	uint64_t shared_clean, shared_dirty, private_clean, private_dirty;
	uint64_t anonymous, lazyfree, locked;
	/* Beyond smaps: of status. */
	uint64_t rss_file, rss_shmem, locked_size, tables;
};

#define FIELDS_N (sizeof(struct fields) / sizeof(uint64_t))

static void add_fields(struct fields *sum, const struct fields *f)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)f;

	for (size_t i = 0; i < FIELDS_N; i++)
		to[i] += from[i];
}

struct cell_value {
	const char *column;
	uint64_t value;
};

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

static void set_all(int64_t *cells, enum view view, const struct cell_value *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		set(cells, view, values[i].column, (int64_t)values[i].value);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The columns that mapping and process share. What was referenced lately does not follow from a size. */
static void set_fields(int64_t *cells, enum view view, const struct fields *f)
{
	const struct cell_value values[] = {
		{ "size_kib", f->size },
		{ "rss_kib", f->rss },
		{ "pss_kib", f->pss },
		{ "pss_dirty_kib", f->pss_dirty },
		{ "shared_clean_kib", f->shared_clean },
		{ "shared_dirty_kib", f->shared_dirty },
		{ "private_clean_kib", f->private_clean },
		{ "private_dirty_kib", f->private_dirty },
		{ "anonymous_kib", f->anonymous },
		{ "ksm_kib", 0 },
		{ "lazyfree_kib", f->lazyfree },
		{ "anon_huge_pages_kib", 0 },
		{ "shmem_pmd_mapped_kib", 0 },
		{ "file_pmd_mapped_kib", 0 },
		{ "shared_hugetlb_kib", 0 },
		{ "private_hugetlb_kib", 0 },
		{ "swap_kib", 0 },
		{ "swap_pss_kib", 0 },
		{ "locked_kib", f->locked },
	};

	set_all(cells, view, values, COUNT(values));
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

/* What one of the processes that hold a sort says of it. */
static struct fields fields_of(const struct known_spec *spec, const struct known_sort *s)
{
	uint64_t kib = s->kib * s->mappers / holders(spec);
	bool is_anon = s->backing == KNOWN_BACKING_ANON, is_zero = s->backing == KNOWN_BACKING_ZERO;
	struct fields f = { .size = span_kib(spec, kib) };

	f.tables = (f.size + TABLE_SPAN_KIB - 1) / TABLE_SPAN_KIB * PAGE_KIB;
	/* The page of zeros is nobody's. */
	if (is_zero)
		return f;
	f.rss = kib;
	f.pss = kib / s->mappers;
	f.pss_dirty = s->is_dirty ? f.pss : 0;
	*(is_anon ? &f.pss_anon : s->backing == KNOWN_BACKING_FILE ? &f.pss_file : &f.pss_shmem) = f.pss;
	if (s->mappers > 1)
		*(s->is_dirty ? &f.shared_dirty : &f.shared_clean) = kib;
	else
		*(s->is_dirty ? &f.private_dirty : &f.private_clean) = kib;
	f.anonymous = is_anon ? kib : 0;
	f.lazyfree = s->is_lazyfree ? kib : 0;
	f.locked = s->is_mlocked ? f.pss : 0;
	f.locked_size = s->is_mlocked ? kib : 0;
	f.rss_file = s->backing == KNOWN_BACKING_FILE ? kib : 0;
	f.rss_shmem = s->backing == KNOWN_BACKING_SHMEM ? kib : 0;
	return f;
}

static void add_mapping(struct views *v, const struct known_sort *s, unsigned pid, int64_t n,
			const struct fields *f)
{
	static const struct {
		const char *perms, *dev, *path, *kind;
	} texts[] = {
		[KNOWN_BACKING_ANON] = { "rw-p", "00:00", "", "anon" },
		[KNOWN_BACKING_SHMEM] = { "rw-s", "00:01", "/dev/zero (deleted)", "shmem" },
		[KNOWN_BACKING_FILE] = { "r--p", "fe:20", "/scratch/known", "file_ro" },
		[KNOWN_BACKING_ZERO] = { "rw-p", "00:00", "", "anon" },
	};
	bool is_written_file = s->backing == KNOWN_BACKING_FILE && s->is_dirty;
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
	const struct cell_value values[] = {
		{ "ppid", pid == FIRST_PID ? 1 : FIRST_PID },
		{ "threads", 1 },
		{ "vm_size_kib", f->size },
		{ "vm_lck_kib", f->locked_size },
		{ "vm_pin_kib", 0 },
		{ "vm_rss_kib", f->rss },
		{ "rss_anon_kib", f->anonymous },
		{ "rss_file_kib", f->rss_file },
		{ "rss_shmem_kib", f->rss_shmem },
		{ "vm_pte_kib", f->tables },
		{ "vm_swap_kib", 0 },
		{ "hugetlb_pages_kib", 0 },
		{ "pss_anon_kib", f->pss_anon },
		{ "pss_file_kib", f->pss_file },
		{ "pss_shmem_kib", f->pss_shmem },
	};
	int64_t *cells = views_add_row(v, VIEW_PROCESS);

	set(cells, VIEW_PROCESS, "pid", pid);
	set_text(v, cells, VIEW_PROCESS, "name", "known");
	set_all(cells, VIEW_PROCESS, values, COUNT(values));
	set_fields(cells, VIEW_PROCESS, f);
}

/* Returns what all processes together have. */
static struct fields add_processes(struct views *v, const struct known_spec *spec,
				   const struct known_sort *sorts, size_t n)
{
	unsigned children = spec->kind == KNOWN_FORKED_COW ? spec->children : 0;
	const struct known_sort nothing = { .backing = KNOWN_BACKING_ANON };
	struct fields all = { 0 };

	for (unsigned i = 0; i <= children; i++) {
		struct fields sum = { 0 };
		bool holds = children == 0 || i > 0;

		add_mapping(v, &nothing, FIRST_PID + i, 0, &sum);
		for (size_t j = 0; holds && j < n; j++) {
			if (!sorts[j].mappers || sorts[j].backing == KNOWN_BACKING_PAGE_TABLE)
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

static void add_pages(struct views *v, const struct known_spec *spec, const struct known_sort *s)
{
	static const char *const backings[] = {
		[KNOWN_BACKING_ANON] = "anon",
		[KNOWN_BACKING_SHMEM] = "shmem",
		[KNOWN_BACKING_FILE] = "file",
		[KNOWN_BACKING_ZERO] = "zero",
	};
	bool is_zero = s->backing == KNOWN_BACKING_ZERO;
	int64_t *cells = views_add_row(v, VIEW_PAGES);
	const struct cell_value values[] = {
		{ "is_lazyfree", s->is_lazyfree },
		{ "is_ksm", 0 },
		{ "is_huge", s->kib && spec->kind == KNOWN_THP_HOLES },
		{ "is_mlocked", s->is_mlocked },
		{ "is_shared_outside", 0 },
		{ "mappers", s->mappers },
		{ "kib", is_zero ? PAGE_KIB : s->kib },
		{ "mapped_kib", s->kib * s->mappers },
	};

	set_text(v, cells, VIEW_PAGES, "state", "resident");
	set_text(v, cells, VIEW_PAGES, "backing", backings[s->backing]);
	set_all(cells, VIEW_PAGES, values, COUNT(values));
	/* Of other pages kernels keep that in the page tables, or not at all. */
	if (s->backing == KNOWN_BACKING_FILE)
		set(cells, VIEW_PAGES, "is_dirty", s->is_dirty);
}

/* --- The guest's own numbers */

struct totals {
	uint64_t anon;                              /* of processes */
	uint64_t left_over;                         /* of nobody any more */
	uint64_t file, shmem, dirty, mapped;        /* page cache; dirty of file, mapped of both */
	uint64_t lazyfree, mlocked, locked_or_lazy; /* of anon; the sum of both */
	uint64_t tables;
};

static struct totals totals_of(const struct known_sort *sorts, size_t n, const struct fields *processes)
{
	struct totals t = { .tables = processes->tables };

	for (size_t i = 0; i < n; i++) {
		const struct known_sort *s = &sorts[i];
		bool is_cache = s->backing == KNOWN_BACKING_FILE || s->backing == KNOWN_BACKING_SHMEM;

		if (s->backing == KNOWN_BACKING_ANON)
			*(s->mappers ? &t.anon : &t.left_over) += s->kib;
		else if (is_cache)
			*(s->backing == KNOWN_BACKING_FILE ? &t.file : &t.shmem) += s->kib;
		t.dirty += s->backing == KNOWN_BACKING_FILE && s->is_dirty ? s->kib : 0;
		t.mapped += is_cache && s->mappers ? s->kib : 0;
		t.lazyfree += s->is_lazyfree ? s->kib : 0;
		t.mlocked += s->is_mlocked ? s->kib : 0;
	}
	t.locked_or_lazy = t.lazyfree + t.mlocked;
	return t;
}

static void add_number(struct views *v, enum view view, const char *key, int64_t value)
{
	int64_t *cells = views_add_row(v, view);

	set_text(v, cells, view, "key", key);
	set(cells, view, "value", value);
}

/* The load's cgroup, in bytes. Lists of new pages are the inactive ones; all that counts is their sum. */
static void add_cgroup(struct views *v, const struct totals *t)
{
	const struct cell_value kib[] = {
		{ "memory.current", t->anon + t->left_over + t->file + t->shmem + t->tables },
		{ "memory.swap.current", 0 },
		{ "memory.stat.anon", t->anon },
		{ "memory.stat.file", t->file + t->shmem },
		{ "memory.stat.kernel", t->tables },
		{ "memory.stat.kernel_stack", 0 },
		{ "memory.stat.pagetables", t->tables },
		{ "memory.stat.percpu", 0 },
		{ "memory.stat.sock", 0 },
		{ "memory.stat.vmalloc", 0 },
		{ "memory.stat.shmem", t->shmem },
		{ "memory.stat.zswap", 0 },
		{ "memory.stat.zswapped", 0 },
		{ "memory.stat.file_mapped", t->mapped },
		{ "memory.stat.file_dirty", t->dirty },
		{ "memory.stat.file_writeback", 0 },
		{ "memory.stat.swapcached", 0 },
		{ "memory.stat.anon_thp", 0 },
		{ "memory.stat.file_thp", 0 },
		{ "memory.stat.shmem_thp", 0 },
		{ "memory.stat.inactive_anon", t->anon + t->left_over - t->locked_or_lazy + t->shmem },
		{ "memory.stat.active_anon", 0 },
		{ "memory.stat.inactive_file", t->file + t->lazyfree },
		{ "memory.stat.active_file", 0 },
		{ "memory.stat.unevictable", t->mlocked },
		{ "memory.stat.slab_reclaimable", 0 },
		{ "memory.stat.slab_unreclaimable", 0 },
		{ "memory.stat.slab", 0 },
	};

	for (size_t i = 0; i < COUNT(kib); i++)
		add_number(v, VIEW_GUEST, kib[i].column, (int64_t)kib[i].value * 1024);
}

/*
 * meminfo beside a baseline. MemAvailable, the kernel's guess, takes in a part of the page cache that depends
 * on the guest, and memory that is freed lazily stands in the same lists: with either it does not follow.
 */
static void add_meminfo(struct views *v, const struct totals *t)
{
	uint64_t on_anon_lists = t->anon + t->left_over - t->locked_or_lazy + t->shmem;
	uint64_t all = t->anon + t->left_over + t->file + t->shmem + t->tables;
	const struct {
		const char *key;
		int64_t change_kib;
	} rows[] = {
		{ "meminfo.MemTotal", 0 },
		{ "meminfo.MemFree", -(int64_t)all },
		{ "meminfo.Buffers", 0 },
		{ "meminfo.Cached", (int64_t)(t->file + t->shmem) },
		{ "meminfo.SwapCached", 0 },
		{ "meminfo.Active(anon)", 0 },
		{ "meminfo.Inactive(anon)", (int64_t)on_anon_lists },
		{ "meminfo.Active(file)", 0 },
		{ "meminfo.Inactive(file)", (int64_t)(t->file + t->lazyfree) },
		{ "meminfo.Unevictable", (int64_t)t->mlocked },
		{ "meminfo.Mlocked", (int64_t)t->mlocked },
		{ "meminfo.SwapTotal", 0 },
		{ "meminfo.SwapFree", 0 },
		{ "meminfo.Dirty", (int64_t)t->dirty },
		{ "meminfo.Writeback", 0 },
		{ "meminfo.AnonPages", (int64_t)t->anon },
		{ "meminfo.Mapped", (int64_t)t->mapped },
		{ "meminfo.Shmem", (int64_t)t->shmem },
		{ "meminfo.KReclaimable", 0 },
		{ "meminfo.Slab", 0 },
		{ "meminfo.SReclaimable", 0 },
		{ "meminfo.SUnreclaim", 0 },
		{ "meminfo.KernelStack", 0 },
		{ "meminfo.PageTables", (int64_t)t->tables },
		{ "meminfo.VmallocUsed", 0 },
		{ "meminfo.Percpu", 0 },
		{ "meminfo.AnonHugePages", 0 },
	};
	static const char available[] = "meminfo.MemAvailable";

	for (size_t i = 0; i < COUNT(rows); i++) {
		add_number(v, VIEW_BASELINE, rows[i].key, BASELINE_KIB);
		add_number(v, VIEW_GUEST, rows[i].key, BASELINE_KIB + rows[i].change_kib);
	}
	add_number(v, VIEW_BASELINE, available, BASELINE_KIB);
	if (t->file + t->lazyfree == 0)
		add_number(v, VIEW_GUEST, available, BASELINE_KIB - (int64_t)all);
}

void known_add_ideal(struct views *v, int64_t snapshot_id, const struct known_spec *spec)
{
	struct known_sort sorts[KNOWN_SORTS_MAX];
	size_t n = known_truth(spec, sorts);

	views_begin(v, snapshot_id, snapshot_id, "load");

	struct fields processes = add_processes(v, spec, sorts, n);
	struct totals totals = totals_of(sorts, n, &processes);

	add_pages(v, spec, &(const struct known_sort){ .mappers = 1, .backing = KNOWN_BACKING_ANON });
	for (size_t i = 0; i < n; i++)
		if (sorts[i].mappers && sorts[i].backing != KNOWN_BACKING_PAGE_TABLE)
			add_pages(v, spec, &sorts[i]);
	add_cgroup(v, &totals);
	add_meminfo(v, &totals);
	views_end(v);
}
