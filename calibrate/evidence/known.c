/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/known.h"

#include <assert.h>
#include <string.h>

/* Of x86-64: a page table has 512 entries, so that one of 4 KiB maps 2 MiB. */
#define PAGE_KIB  4
#define TABLE_KIB 2048

static const char *const kind_names[] = {
	[KNOWN_PRIVATE_DIRTY] = "private-dirty",
	[KNOWN_ZERO_READ] = "zero-read",
	[KNOWN_FILE_CLEAN] = "file-clean",
	[KNOWN_FILE_DIRTY] = "file-dirty",
	[KNOWN_SHMEM] = "shmem",
	[KNOWN_TMPFS] = "tmpfs",
	[KNOWN_FORKED_COW] = "forked-cow",
	[KNOWN_LAZYFREE] = "lazyfree",
	[KNOWN_MLOCKED] = "mlocked",
	[KNOWN_THP_HOLES] = "thp-holes",
	[KNOWN_PAGE_TABLES] = "page-tables",
};

static const char *const kind_summaries[KNOWN_COUNT] = {
	[KNOWN_PRIVATE_DIRTY] = "private memory, written: what the ballast is",
	[KNOWN_ZERO_READ] = "private memory, only read: the page of zeros",
	[KNOWN_FILE_CLEAN] = "a file mapped and read: can be dropped",
	[KNOWN_FILE_DIRTY] = "a file mapped and written: can be written back",
	[KNOWN_SHMEM] = "shared memory, mapped and written",
	[KNOWN_TMPFS] = "a file in memory that nobody maps",
	[KNOWN_FORKED_COW] = "forked processes, each with changes of its own",
	[KNOWN_LAZYFREE] = "written, then given back with MADV_FREE",
	[KNOWN_MLOCKED] = "private memory, locked in RAM",
	[KNOWN_THP_HOLES] = "huge pages, half of each given back",
	[KNOWN_PAGE_TABLES] = "half page tables, half the pages in them",
};

const char *known_kind_name(enum known_kind kind)
{
	return kind_names[kind];
}

bool known_kind_parse(const char *name, enum known_kind *ret)
{
	for (int i = 0; i < KNOWN_COUNT; i++)
		if (strcmp(kind_names[i], name) == 0) {
			*ret = (enum known_kind)i;
			return true;
		}
	return false;
}

const char *known_kind_summary(enum known_kind kind)
{
	return kind_summaries[kind];
}

bool known_kind_needs_disk(enum known_kind kind)
{
	return kind == KNOWN_FILE_CLEAN || kind == KNOWN_FILE_DIRTY;
}

/* What each child of a forked-cow load has changed, in whole pages, as guest/loads/known.c counts. */
static uint64_t changed_kib(const struct known_spec *spec)
{
	return spec->kib / PAGE_KIB * spec->dirty_pct / 100 * PAGE_KIB;
}

size_t known_truth(const struct known_spec *spec, struct known_sort sorts[KNOWN_SORTS_MAX])
{
	struct known_sort s = {
		.kib = spec->kib, .mappers = 1, .backing = KNOWN_BACKING_ANON, .is_dirty = true
	};
	size_t n = 1;

	switch (spec->kind) {
	case KNOWN_PRIVATE_DIRTY:
	case KNOWN_COUNT:
		break;
	case KNOWN_ZERO_READ:
		s.backing = KNOWN_BACKING_ZERO;
		s.is_dirty = false;
		break;
	case KNOWN_FILE_CLEAN:
		s.is_dirty = false;
		s.backing = KNOWN_BACKING_FILE;
		break;
	case KNOWN_FILE_DIRTY:
		s.backing = KNOWN_BACKING_FILE;
		break;
	case KNOWN_SHMEM:
		s.backing = KNOWN_BACKING_SHMEM;
		break;
	case KNOWN_TMPFS:
		s.backing = KNOWN_BACKING_SHMEM;
		s.mappers = 0;
		break;
	case KNOWN_LAZYFREE:
		s.is_lazyfree = true;
		s.is_dirty = false;
		break;
	case KNOWN_MLOCKED:
		s.is_mlocked = true;
		break;
	case KNOWN_THP_HOLES:
		/* Nobody maps the half that was given back, but its huge pages stay whole for the time being.
		 */
		sorts[n] = s;
		sorts[n++].mappers = 0;
		break;
	case KNOWN_PAGE_TABLES:
		s.kib /= 2;
		sorts[n] = s;
		sorts[n++].backing = KNOWN_BACKING_PAGE_TABLE;
		break;
	case KNOWN_FORKED_COW:
		/* What was changed, a copy for each child; the original went to the last one. */
		sorts[n] = s;
		sorts[n++].kib = changed_kib(spec) * spec->children;
		s.kib -= changed_kib(spec);
		s.mappers = spec->children;
		break;
	}
	sorts[0] = s;
	return n;
}

/* Memory without file and without user is free as soon as the kernel gets round to it. */
static bool must_stay(const struct known_sort *s)
{
	bool is_left_over = s->backing == KNOWN_BACKING_ANON && s->mappers == 0;

	return s->backing != KNOWN_BACKING_FILE && s->backing != KNOWN_BACKING_ZERO && !s->is_lazyfree &&
	       !is_left_over;
}

uint64_t known_weight_kib(const struct known_spec *spec)
{
	struct known_sort sorts[KNOWN_SORTS_MAX];
	size_t n = known_truth(spec, sorts);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += must_stay(&sorts[i]) ? sorts[i].kib : 0;
	return sum;
}
