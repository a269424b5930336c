/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Known-answer loads of 8 MiB: what they hold, weigh, and what an ideal kernel would say of them, as computed
 * by hand. That guest/loads/known.c makes such loads is for real guests to show (tests/system/known-answers.t).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/evidence/known.h"
#include "harness/base/alloc.h"
#include "tests/tap.h"

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
static const struct want wants[KNOWN_COUNT] = {
	[KNOWN_PRIVATE_DIRTY] = { .weight = 8192,
				  .size = 8192,
				  .rss = 8192,
				  .pss = 8192,
				  .private_dirty = 8192,
				  .anonymous = 8192,
				  .tables = 16,
				  .pages = 8192,
				  .mapped_pages = 8192,
				  .current = 8208,
				  .inactive_anon = 8192,
				  .available = 8208 },
	/* The one page of zeros, mapped 2048 times; no kernel counts it as resident. */
	[KNOWN_ZERO_READ] = { .size = 8192,
			      .tables = 16,
			      .pages = 4,
			      .mapped_pages = 8192,
			      .current = 16,
			      .available = 16 },
	[KNOWN_FILE_CLEAN] = { .size = 8192,
			       .rss = 8192,
			       .pss = 8192,
			       .private_clean = 8192,
			       .tables = 16,
			       .pages = 8192,
			       .mapped_pages = 8192,
			       .current = 8208,
			       .inactive_file = 8192,
			       .available = UNKNOWN },
	[KNOWN_FILE_DIRTY] = { .size = 8192,
			       .rss = 8192,
			       .pss = 8192,
			       .private_dirty = 8192,
			       .tables = 16,
			       .pages = 8192,
			       .mapped_pages = 8192,
			       .current = 8208,
			       .inactive_file = 8192,
			       .file_dirty = 8192,
			       .available = UNKNOWN },
	[KNOWN_SHMEM] = { .weight = 8192,
			  .size = 8192,
			  .rss = 8192,
			  .pss = 8192,
			  .private_dirty = 8192,
			  .tables = 16,
			  .pages = 8192,
			  .mapped_pages = 8192,
			  .current = 8208,
			  .inactive_anon = 8192,
			  .shmem = 8192,
			  .available = 8208 },
	/* In no process at all. */
	[KNOWN_TMPFS] = { .weight = 8192,
			  .current = 8192,
			  .inactive_anon = 8192,
			  .shmem = 8192,
			  .available = 8192 },
	/* 4 children share 6 MiB and have 2 MiB each: 6 + 4 x 2 = 14 MiB; 4 x 8 = 32 MiB are mapped. */
	[KNOWN_FORKED_COW] = { .weight = 14336,
			       .size = 32768,
			       .rss = 32768,
			       .pss = 14336,
			       .private_dirty = 8192,
			       .shared_dirty = 24576,
			       .anonymous = 32768,
			       .tables = 64,
			       .pages = 14336,
			       .mapped_pages = 32768,
			       .current = 14400,
			       .inactive_anon = 14336,
			       .available = 14400 },
	[KNOWN_LAZYFREE] = { .size = 8192,
			     .rss = 8192,
			     .pss = 8192,
			     .private_clean = 8192,
			     .anonymous = 8192,
			     .lazyfree = 8192,
			     .tables = 16,
			     .pages = 8192,
			     .mapped_pages = 8192,
			     .current = 8208,
			     .inactive_file = 8192,
			     .available = UNKNOWN },
	[KNOWN_MLOCKED] = { .weight = 8192,
			    .size = 8192,
			    .rss = 8192,
			    .pss = 8192,
			    .private_dirty = 8192,
			    .anonymous = 8192,
			    .locked = 8192,
			    .tables = 16,
			    .pages = 8192,
			    .mapped_pages = 8192,
			    .current = 8208,
			    .unevictable = 8192,
			    .available = 8208 },
	/* 8 huge pages, of which half is mapped and all is there: 16 MiB. */
	[KNOWN_THP_HOLES] = { .weight = 8192,
			      .size = 16384,
			      .rss = 8192,
			      .pss = 8192,
			      .private_dirty = 8192,
			      .anonymous = 8192,
			      .tables = 32,
			      .pages = 8192,
			      .mapped_pages = 8192,
			      .current = 16416,
			      .inactive_anon = 16384,
			      .available = 16416 },
	/* 1024 pages, 2 MiB from each other, and 1024 tables. */
	[KNOWN_PAGE_TABLES] = { .weight = 8192,
				.size = 1024 * 2048,
				.rss = 4096,
				.pss = 4096,
				.private_dirty = 4096,
				.anonymous = 4096,
				.tables = 4096,
				.pages = 4096,
				.mapped_pages = 4096,
				.current = 8192,
				.inactive_anon = 4096,
				.available = 8192 },
};

static struct known_spec spec_of(enum known_kind kind)
{
	struct known_spec spec = { .kind = kind, .kib = KIB };

	if (kind == KNOWN_FORKED_COW) {
		spec.children = 4;
		spec.dirty_pct = 25;
	}
	return spec;
}

static int64_t sum(const struct views *v, enum view view, const char *column)
{
	int64_t total = 0;

	for (size_t i = 0; i < views_rows(v, view); i++)
		total += views_row(v, view, i)[view_column_find(view, column)];
	return total;
}

static int64_t number(const struct views *v, enum view view, const char *key)
{
	for (size_t i = 0; i < views_rows(v, view); i++) {
		const int64_t *row = views_row(v, view, i);

		if (strcmp((const char *)(intptr_t)row[view_column_find(view, "key")], key) == 0)
			return row[view_column_find(view, "value")];
	}
	return VIEW_NULL;
}

/* By how much a number of the guest is below the baseline's. */
static int64_t fall(const struct views *v, const char *key)
{
	int64_t now = number(v, VIEW_GUEST, key);

	return now == VIEW_NULL ? UNKNOWN : number(v, VIEW_BASELINE, key) - now;
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
		{ "size", sum(v, VIEW_MAPPING, "size_kib"), w->size },
		{ "rss", sum(v, VIEW_MAPPING, "rss_kib"), w->rss },
		{ "rss of processes", sum(v, VIEW_PROCESS, "rss_kib"), w->rss },
		{ "VmRSS", sum(v, VIEW_PROCESS, "vm_rss_kib"), w->rss },
		{ "rss by backing",
		  sum(v, VIEW_PROCESS, "rss_anon_kib") + sum(v, VIEW_PROCESS, "rss_file_kib") +
			  sum(v, VIEW_PROCESS, "rss_shmem_kib"),
		  w->rss },
		{ "pss", sum(v, VIEW_MAPPING, "pss_kib"), w->pss },
		{ "private clean", sum(v, VIEW_MAPPING, "private_clean_kib"), w->private_clean },
		{ "private dirty", sum(v, VIEW_MAPPING, "private_dirty_kib"), w->private_dirty },
		{ "shared clean", sum(v, VIEW_MAPPING, "shared_clean_kib"), 0 },
		{ "shared dirty", sum(v, VIEW_MAPPING, "shared_dirty_kib"), w->shared_dirty },
		{ "anonymous", sum(v, VIEW_MAPPING, "anonymous_kib"), w->anonymous },
		{ "lazyfree", sum(v, VIEW_MAPPING, "lazyfree_kib"), w->lazyfree },
		{ "locked", sum(v, VIEW_PROCESS, "locked_kib"), w->locked },
		{ "swap", sum(v, VIEW_PROCESS, "swap_kib"), 0 },
		{ "page tables", sum(v, VIEW_PROCESS, "vm_pte_kib"), w->tables },
		{ "pages", sum(v, VIEW_PAGES, "kib"), w->pages },
		{ "mapped pages", sum(v, VIEW_PAGES, "mapped_kib"), w->mapped_pages },
		{ "memory.current", number(v, VIEW_GUEST, "memory.current"), w->current * 1024 },
		{ "inactive_anon", number(v, VIEW_GUEST, "memory.stat.inactive_anon"),
		  w->inactive_anon * 1024 },
		{ "inactive_file", number(v, VIEW_GUEST, "memory.stat.inactive_file"),
		  w->inactive_file * 1024 },
		{ "unevictable", number(v, VIEW_GUEST, "memory.stat.unevictable"), w->unevictable * 1024 },
		{ "shmem", number(v, VIEW_GUEST, "memory.stat.shmem"), w->shmem * 1024 },
		{ "file_dirty", number(v, VIEW_GUEST, "memory.stat.file_dirty"), w->file_dirty * 1024 },
		{ "pagetables", number(v, VIEW_GUEST, "memory.stat.pagetables"), w->tables * 1024 },
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
	struct known_sort sorts[KNOWN_SORTS_MAX];

	/* 2560 pages x 33 % = 844.8: 844 pages, 3376 KiB. */
	is_int((long long)known_truth(&spec, sorts), 2, "forked memory is of two sorts");
	is_int((long long)sorts[0].kib, 10240 - 3376, "what is left as it was is shared");
	is_int(sorts[0].mappers, 3, "by the children");
	is_int((long long)sorts[1].kib, 3 * 3376, "what was changed is there once for each");
	spec.dirty_pct = 100;
	is_int((long long)known_weight_kib(&spec), 30720, "when all is changed, nothing is shared");
	spec.dirty_pct = 0;
	is_int((long long)known_weight_kib(&spec), 10240, "when nothing is, all is");
}

int main(void)
{
	for (int i = 0; i < KNOWN_COUNT; i++)
		test_kind((enum known_kind)i);
	test_names();
	test_rounding();
	return tap_done();
}
