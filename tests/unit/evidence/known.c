/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Known-answer loads of 8 MiB: what they hold, weigh, and what an ideal kernel would say of them, as computed
 * by hand. That guest/loads/known.c makes such loads is for real guests to show
 * (tests/system/known-answers.t).
 */

#include "calibrate/evidence/known.h"
#include "tests/unit/evidence/views.h"

#define KIB 8192

/* Does not follow from the size. */
#define UNKNOWN INT64_MAX

/* Sums over all rows in KiB. */
struct want {
	int64_t weight;
	int64_t size, rss, pss, private_clean, private_dirty, shared_dirty, anonymous, lazyfree, locked,
		tables;
	int64_t pages, mapped_pages;
	int64_t current, inactive_anon, inactive_file, unevictable, shmem, file_dirty; /* of memory.* */
	int64_t available; /* taken from MemAvailable */
};

/* 8 MiB are mapped by 4 page tables of 4 KiB: 16 KiB, wherever all of it is mapped by one process. */
/* clang-format off */
static const struct want wants[KNOWN_COUNT] = {
	/* weight, then the rows above:
	 *  size      rss      pss  p.clean  p.dirty  s.dirty     anon     lazy   locked   tables
	 * pages   mapped  current   i.anon   i.file  unevict    shmem  f.dirty available */
	[KNOWN_PRIVATE_DIRTY] = { 8192,
		   8192,    8192,    8192,       0,    8192,       0,    8192,       0,       0,      16,
		   8192,    8192,    8208,    8192,       0,       0,       0,       0,     8208 },
	/* The one page of zeros, mapped 2048 times; no kernel counts it as resident. */
	[KNOWN_ZERO_READ] = { 0,
		   8192,       0,       0,       0,       0,       0,       0,       0,       0,      16,
		      4,    8192,      16,       0,       0,       0,       0,       0,       16 },
	[KNOWN_FILE_CLEAN] = { 0,
		   8192,    8192,    8192,    8192,       0,       0,       0,       0,       0,      16,
		   8192,    8192,    8208,       0,    8192,       0,       0,       0,  UNKNOWN },
	[KNOWN_FILE_DIRTY] = { 0,
		   8192,    8192,    8192,       0,    8192,       0,       0,       0,       0,      16,
		   8192,    8192,    8208,       0,    8192,       0,       0,    8192,  UNKNOWN },
	[KNOWN_SHMEM] = { 8192,
		   8192,    8192,    8192,       0,    8192,       0,       0,       0,       0,      16,
		   8192,    8192,    8208,    8192,       0,       0,    8192,       0,     8208 },
	/* In no process at all. */
	[KNOWN_TMPFS] = { 8192,
		      0,       0,       0,       0,       0,       0,       0,       0,       0,       0,
		      0,       0,    8192,    8192,       0,       0,    8192,       0,     8192 },
	/* 4 children share 6 MiB and have 2 MiB each: 6 + 4 x 2 = 14 MiB; 4 x 8 = 32 MiB are mapped. */
	[KNOWN_FORKED_COW] = { 14336,
		  32768,   32768,   14336,       0,    8192,   24576,   32768,       0,       0,      64,
		  14336,   32768,   14400,   14336,       0,       0,       0,       0,    14400 },
	[KNOWN_LAZYFREE] = { 0,
		   8192,    8192,    8192,    8192,       0,       0,    8192,    8192,       0,      16,
		   8192,    8192,    8208,       0,    8192,       0,       0,       0,  UNKNOWN },
	[KNOWN_MLOCKED] = { 8192,
		   8192,    8192,    8192,       0,    8192,       0,    8192,       0,    8192,      16,
		   8192,    8192,    8208,       0,       0,    8192,       0,       0,     8208 },
	/* 8 huge pages, of which half is mapped and all is there: 16 MiB. */
	[KNOWN_THP_HOLES] = { 8192,
		  16384,    8192,    8192,       0,    8192,       0,    8192,       0,       0,      32,
		   8192,    8192,   16416,   16384,       0,       0,       0,       0,    16416 },
	/* 1024 pages, 2 MiB from each other, and 1024 tables. */
	[KNOWN_PAGE_TABLES] = { 8192,
		2097152,    4096,    4096,       0,    4096,       0,    4096,       0,       0,    4096,
		   4096,    4096,    8192,    4096,       0,       0,       0,       0,     8192 },
};
/* clang-format on */

static struct known_spec spec_of(enum known_kind kind)
{
	struct known_spec spec = { .kind = kind, .kib = KIB };

	if (kind == KNOWN_FORKED_COW) {
		spec.children = 4;
		spec.dirty_pct = 25;
	}
	return spec;
}

/* The sum of a column in which every cell is known. */
static int64_t total(const struct views *v, enum view view, const char *name)
{
	for (size_t i = 0; i < views_rows(v, view); i++)
		if (cell(v, view, i, name) == VIEW_NULL)
			return VIEW_NULL;
	return sum(v, view, name);
}

/* By how much a number of the guest is below the baseline's. */
static int64_t fall(const struct views *v, const char *key)
{
	int64_t now = guest_value(v, VIEW_GUEST, key);

	return now == -1 ? UNKNOWN : guest_value(v, VIEW_BASELINE, key) - now;
}

/* One test per kind: the first number that is wrong is told. */
static void test_kind(enum known_kind kind)
{
	const struct want *w = &wants[kind];
	struct known_spec spec = spec_of(kind);
	struct views *v = views_create(VIEWS_ALL);

	known_add_ideal(v, 5, &spec);

	const struct {
		const char *what;
		int64_t got, want;
	} rows[] = {
		{ "weight", (int64_t)known_weight_kib(&spec), w->weight },
		{ "size", total(v, VIEW_MAPPING, "size_kib"), w->size },
		{ "rss", total(v, VIEW_MAPPING, "rss_kib"), w->rss },
		{ "rss of processes", total(v, VIEW_PROCESS, "rss_kib"), w->rss },
		{ "VmRSS", total(v, VIEW_PROCESS, "vm_rss_kib"), w->rss },
		{ "rss by backing",
		  total(v, VIEW_PROCESS, "rss_anon_kib") + total(v, VIEW_PROCESS, "rss_file_kib") +
			  total(v, VIEW_PROCESS, "rss_shmem_kib"),
		  w->rss },
		{ "pss", total(v, VIEW_MAPPING, "pss_kib"), w->pss },
		{ "private clean", total(v, VIEW_MAPPING, "private_clean_kib"), w->private_clean },
		{ "private dirty", total(v, VIEW_MAPPING, "private_dirty_kib"), w->private_dirty },
		{ "shared clean", total(v, VIEW_MAPPING, "shared_clean_kib"), 0 },
		{ "shared dirty", total(v, VIEW_MAPPING, "shared_dirty_kib"), w->shared_dirty },
		{ "anonymous", total(v, VIEW_MAPPING, "anonymous_kib"), w->anonymous },
		{ "lazyfree", total(v, VIEW_MAPPING, "lazyfree_kib"), w->lazyfree },
		{ "locked", total(v, VIEW_PROCESS, "locked_kib"), w->locked },
		{ "swap", total(v, VIEW_PROCESS, "swap_kib"), 0 },
		{ "page tables", total(v, VIEW_PROCESS, "vm_pte_kib"), w->tables },
		{ "pages", total(v, VIEW_PAGES, "kib"), w->pages },
		{ "mapped pages", total(v, VIEW_PAGES, "mapped_kib"), w->mapped_pages },
		{ "memory.current", guest_value(v, VIEW_GUEST, "memory.current"), w->current * 1024 },
		{ "inactive_anon", guest_value(v, VIEW_GUEST, "memory.stat.inactive_anon"),
		  w->inactive_anon * 1024 },
		{ "inactive_file", guest_value(v, VIEW_GUEST, "memory.stat.inactive_file"),
		  w->inactive_file * 1024 },
		{ "unevictable", guest_value(v, VIEW_GUEST, "memory.stat.unevictable"),
		  w->unevictable * 1024 },
		{ "shmem", guest_value(v, VIEW_GUEST, "memory.stat.shmem"), w->shmem * 1024 },
		{ "file_dirty", guest_value(v, VIEW_GUEST, "memory.stat.file_dirty"), w->file_dirty * 1024 },
		{ "pagetables", guest_value(v, VIEW_GUEST, "memory.stat.pagetables"), w->tables * 1024 },
		{ "MemAvailable", fall(v, "meminfo.MemAvailable"), w->available },
	};
	bool good = true;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].got != rows[i].want) {
			printf("# %s: got %" PRId64 ", want %" PRId64 "\n", rows[i].what, rows[i].got,
			       rows[i].want);
			good = false;
		}
	ok(good, known_kind_name(kind));
	is_int((long long)views_rows(v, VIEW_PROCESS), spec.children + 1, "and its processes");
	views_destroy(v);
}

static void test_kinds(void)
{
	for (int i = 0; i < KNOWN_COUNT; i++)
		test_kind((enum known_kind)i);
}

static void test_names(void)
{
	unsigned good = 0;
	enum known_kind kind;

	for (int i = 0; i < KNOWN_COUNT; i++)
		good += known_kind_parse(known_kind_name((enum known_kind)i), &kind) && (int)kind == i &&
			strlen(known_kind_summary(kind)) > 10;
	is_int(good, KNOWN_COUNT, "every kind is found by its name");
	ok(!known_kind_parse("private", &kind), "a part of a name is none");
	ok(known_kind_needs_disk(KNOWN_FILE_CLEAN) && known_kind_needs_disk(KNOWN_FILE_DIRTY) &&
		   !known_kind_needs_disk(KNOWN_TMPFS),
	   "files need a disk, files in memory do not");
}

/* 10 MiB of which each of 3 children changes 33 %: whole pages, as the program counts. */
static void test_rounding(void)
{
	struct known_spec spec = { .kind = KNOWN_FORKED_COW, .kib = 10240, .children = 3, .dirty_pct = 33 };
	cleanup(cleanup_views_) struct views *v = views_create(VIEWS_ALL);

	/* 2560 pages x 33 % = 844.8: 844 pages, 3376 KiB. */
	known_add_ideal(v, 5, &spec);
	is_int((long long)views_rows(v, VIEW_PAGES), 1 + 2, "beside none forked memory is of two sorts");
	is_int(cell(v, VIEW_PAGES, 1, "kib"), 10240 - 3376, "what is left as it was is shared");
	is_int(cell(v, VIEW_PAGES, 1, "mappers"), 3, "by the children");
	is_int(cell(v, VIEW_PAGES, 2, "kib"), 3 * 3376, "what was changed is there once for each");
	spec.dirty_pct = 100;
	is_int((long long)known_weight_kib(&spec), 30720, "when all is changed, nothing is shared");
	spec.dirty_pct = 0;
	is_int((long long)known_weight_kib(&spec), 10240, "when nothing is, all is");
}

TAP_MAIN(test_kinds, test_names, test_rounding)
