/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/views-pages.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/evidence/views.h"
#include "guest/pages.h"
#include "harness/base/alloc.h"

/*
 * From the page runs of all processes to the rows of pages: each page of RAM and each slot of swap once, no
 * matter how many processes map it, summed by sort. No mapcount of the kernel is needed for that, so it is
 * the referee of the measures that divide or leave out what is shared.
 *
 * What it cannot show: pages that no process of the set maps (of tmpfs files, page tables, slab), and shared
 * memory in swap, which has no entry in pagemap. is_dirty is the kernel's page flag, which says whether a
 * page of a file must be written back; that an anonymous or tmpfs page was changed stands in the page table
 * alone. So a page that was given back with MADV_FREE and written again since is lazyfree here until reclaim
 * looks at it. A page that is in RAM for one process and in swap for another (in the swap cache) has both.
 */

/*
 * Types from here on are not of swap areas: the kernel marks pages that are being moved, are broken, or
 * belong to a device with them. With every such feature 23 remain for swap areas.
 */
#define SWAP_AREA_TYPES 23

/* Flags that older kernels give for the first page of a compound page only, though all share them. */
#define FLAGS_OF_HEAD (FRAME_DIRTY | FRAME_SWAPBACKED | FRAME_UNEVICTABLE | FRAME_MLOCKED)

/* Addresses of processes end below this, also with five levels of page tables. */
#define ADDRESS_END (1ull << 56)

/*
 * Pages that the processes of one snapshot map, added up: 256 GiB, which is also where the agent gives up for
 * a single one. It bounds the time a bad file costs to a second or two a snapshot.
 */
#define SNAPSHOT_PAGES_MAX (1u << 26)

/*
 * Pages are kept in chunks by number: 4 TiB of RAM or of one swap area in all, of which 256 GiB may have
 * pages of the set in it. A chunk is 512 KiB, so that a bad file costs 1 GiB at the most.
 */
#define CHUNK_PAGES     (1u << 15)
#define CHUNKS          (1u << 15)
#define CHUNKS_USED_MAX (1u << 11)

/* The sort of a page: backing in two bits, and one bit for each question. */
enum { BACKING_ANON, BACKING_SHMEM, BACKING_FILE, BACKING_ZERO, BACKING_COUNT };
#define SORT_BACKING  3u
#define SORT_DIRTY    (1u << 2)
#define SORT_LAZYFREE (1u << 3)
#define SORT_KSM      (1u << 4)
#define SORT_HUGE     (1u << 5)
#define SORT_MLOCKED  (1u << 6)
#define SORT_SWAPPED  (1u << 7)
#define SORT_OUTSIDE  (1u << 8) /* of a row, not of a page */

#define MAPPERS_BITS 24

/* One page of RAM or one slot of swap. */
struct page {
	uint32_t last;  /* serial of the process that mapped it last; below the snapshot's first: not yet */
	uint32_t times; /* how often the set maps it */
	uint32_t mapcount;
	uint32_t mappers : MAPPERS_BITS; /* how many processes do */
	uint32_t sort : 8;
};

/* RAM, or a swap area. */
struct space {
	struct page **chunks; /* NULL, or CHUNKS of them, NULL where nothing was touched yet */
};

/* Pages that follow each other in a space. */
struct range {
	uint64_t first;
	uint32_t n, space;
};

/* A row under way. */
struct sum {
	uint64_t key; /* the sort, and mappers above it */
	uint64_t pages, mapped;
};

/* Where a key was found last; two keys may want the same place. */
#define SUM_CACHE 256

struct pages {
	struct space spaces[1 + SWAP_AREA_TYPES]; /* RAM first */
	size_t chunks_used;
	uint32_t serial, first_serial; /* of the process at hand, and of the snapshot's first */
	uint64_t mapped;               /* pages of the snapshot so far */
	bool is_spoilt, has_ksm;
	struct range *ranges;
	size_t ranges_n, ranges_cap;
	struct sum *sums;
	size_t sums_n, sums_cap;
	uint32_t sum_cache[SUM_CACHE];

	/* Of the process at hand: the compound page whose first page came. */
	uint64_t compound_next, compound_flags;
};

struct pages *pages_create(void)
{
	return xcalloc(1, sizeof(struct pages));
}

void pages_destroy(struct pages *p)
{
	for (size_t i = 0; i < COUNT(p->spaces); i++) {
		for (size_t j = 0; p->spaces[i].chunks && j < CHUNKS; j++)
			free(p->spaces[i].chunks[j]);
		free(p->spaces[i].chunks);
	}
	free(p->ranges);
	free(p->sums);
	free(p);
}

void pages_begin(struct pages *p)
{
	p->first_serial = p->serial + 1;
	p->ranges_n = 0;
	p->mapped = 0;
	p->is_spoilt = false;
}

void pages_set_missing(struct pages *p)
{
	p->is_spoilt = true;
}

static unsigned backing_of(uint64_t flags)
{
	if (flags & FRAME_ZERO_PAGE)
		return BACKING_ZERO;
	if (flags & FRAME_ANON)
		return BACKING_ANON;
	/* Shared hugetlb pages cannot be read again from any file. */
	return flags & (FRAME_SWAPBACKED | FRAME_HUGETLB) ? BACKING_SHMEM : BACKING_FILE;
}

static unsigned sort_of(uint64_t flags)
{
	unsigned backing = backing_of(flags), sort = backing;

	if (flags & FRAME_DIRTY)
		sort |= SORT_DIRTY;
	else if (backing == BACKING_ANON && !(flags & (FRAME_SWAPBACKED | FRAME_HUGETLB)))
		sort |= SORT_LAZYFREE;
	if (flags & FRAME_KSM)
		sort |= SORT_KSM;
	if (flags & (FRAME_THP | FRAME_HUGETLB))
		sort |= SORT_HUGE;
	if (flags & (FRAME_MLOCKED | FRAME_UNEVICTABLE))
		sort |= SORT_MLOCKED;
	return sort;
}

/* Gives the rest of a compound page the flags of its first page, when that came just before. */
static uint64_t whole_flags(struct pages *p, const struct proto_page_run *r, uint64_t first)
{
	bool is_rising = r->step == 1 || r->pages == 1;

	if (r->flags & FRAME_HEAD) {
		p->compound_flags = r->flags & FLAGS_OF_HEAD;
		p->compound_next = first + r->pages;
		return r->flags;
	}
	if (!(r->flags & FRAME_TAIL))
		return r->flags;
	if (is_rising && first == p->compound_next) {
		p->compound_next += r->pages;
		return r->flags | p->compound_flags;
	}
	/* Its first page is not known. Most anonymous pages can only be swapped. */
	return r->flags & FRAME_ANON ? r->flags | FRAME_SWAPBACKED : r->flags;
}

/* The page and those after it in its chunk, *ret_n of them; NULL when there is no room for it. */
static struct page *find_pages(struct pages *p, unsigned space, uint64_t first, uint32_t *ret_n)
{
	struct space *s = &p->spaces[space];
	struct page **chunk;

	if (first >= (uint64_t)CHUNKS * CHUNK_PAGES)
		return NULL;
	if (!s->chunks)
		s->chunks = xcalloc(CHUNKS, sizeof(struct page *));
	chunk = &s->chunks[first / CHUNK_PAGES];
	if (!*chunk) {
		if (p->chunks_used == CHUNKS_USED_MAX)
			return NULL;
		p->chunks_used++;
		*chunk = xcalloc(CHUNK_PAGES, sizeof(struct page));
	}
	*ret_n = CHUNK_PAGES - first % CHUNK_PAGES;
	return *chunk + first % CHUNK_PAGES;
}

static void map_page(struct pages *p, struct page *page, unsigned sort, uint32_t mapcount, uint32_t times)
{
	if (page->last < p->first_serial) {
		*page = (struct page){ p->serial, times, mapcount, 1, sort };
		return;
	}
	if (__builtin_add_overflow(page->times, times, &page->times))
		page->times = UINT32_MAX;
	if (page->mapcount < mapcount)
		page->mapcount = mapcount;
	if (page->last != p->serial) {
		page->last = p->serial;
		page->mappers++;
	}
}

static bool map_range(struct pages *p, struct range range, unsigned sort, uint32_t mapcount, uint32_t times)
{
	uint32_t n;

	p->ranges[p->ranges_n++] = range;
	for (; range.n > 0; range.first += n, range.n -= n) {
		struct page *page = find_pages(p, range.space, range.first, &n);

		if (!page)
			return false;
		n = n < range.n ? n : range.n;
		for (uint32_t i = 0; i < n; i++)
			map_page(p, &page[i], sort, mapcount, times);
	}
	return true;
}

/* The pages of a run in the order of their numbers; false when there are no such numbers. */
static bool run_range(const struct proto_page_run *r, uint64_t at, struct range *ret)
{
	uint32_t more = r->pages - 1u;

	if (r->step < 0 && at < more)
		return false;
	ret->first = r->step < 0 ? at - more : at;
	ret->n = r->step ? r->pages : 1;
	return true;
}

static bool add_present(struct pages *p, const struct proto_page_run *r)
{
	struct range range = { .space = 0 };
	uint64_t flags;

	/* The kernel shows 0 to those who may not know the number. */
	if (!run_range(r, r->entry & PAGE_FRAME, &range) || range.first == 0)
		return false;
	flags = whole_flags(p, r, range.first);
	/* Memory of a device, or the kernel's own data: of no page that could be swapped or dropped. */
	if ((r->flags & FRAME_NOPAGE) || (r->flags & ~FRAME_RESERVED) == 0)
		return true;
	return map_range(p, range, sort_of(flags), r->mapcount, r->step ? 1 : r->pages);
}

static bool add_swapped(struct pages *p, const struct proto_page_run *r)
{
	unsigned type = r->entry & PAGE_SWAP_TYPE;
	struct range range = { .space = 1 + type };

	if (!run_range(r, (r->entry & PAGE_FRAME) >> PAGE_SWAP_TYPE_BITS, &range))
		return false;
	if (type >= SWAP_AREA_TYPES)
		return true;
	return map_range(p, range, SORT_SWAPPED | BACKING_ANON, 0, r->step ? 1 : r->pages);
}

static bool is_valid_run(const struct proto_page_run *r, uint64_t address)
{
	return r->pages > 0 && r->step >= -1 && r->step <= 1 && r->address >= address &&
	       r->address % PAGE_BYTES == 0 && r->address < ADDRESS_END;
}

static bool add_runs(struct pages *p, const char *data, size_t len)
{
	struct proto_page_run r;
	uint64_t address = 0;

	for (; len > 0; data += sizeof(r), len -= sizeof(r)) {
		memcpy(&r, data, sizeof(r));
		p->mapped += r.pages;
		if (!is_valid_run(&r, address) || p->mapped > SNAPSHOT_PAGES_MAX)
			return false;
		address = r.address + (uint64_t)r.pages * PAGE_BYTES;

		bool is_present = r.entry & PAGE_IN_RAM, is_swapped = r.entry & PAGE_IN_SWAP;

		if (is_present == is_swapped || !(is_present ? add_present(p, &r) : add_swapped(p, &r)))
			return false;
	}
	return true;
}

/* Makes room for the ranges of a whole piece, so that none of its runs has to. */
static void reserve_ranges(struct pages *p, size_t n)
{
	if (n <= p->ranges_cap - p->ranges_n)
		return;
	p->ranges_cap = p->ranges_n + n > p->ranges_cap * 2 ? p->ranges_n + n : p->ranges_cap * 2;
	p->ranges = xreallocarray(p->ranges, p->ranges_cap, sizeof(*p->ranges));
}

bool pages_add(struct pages *p, const char *data, size_t len)
{
	/* Serial numbers must not come again, however many processes and snapshots there are. */
	bool has_number = p->serial - p->first_serial + 2 < 1u << MAPPERS_BITS && p->serial < UINT32_MAX - 2;

	p->compound_next = 0;
	reserve_ranges(p, len / sizeof(struct proto_page_run));
	if (has_number)
		p->serial++;
	if (has_number && len % sizeof(struct proto_page_run) == 0 && add_runs(p, data, len))
		return true;
	p->is_spoilt = true;
	return false;
}

static struct sum *find_sum(struct pages *p, uint64_t key)
{
	uint32_t *cached = &p->sum_cache[(key ^ key >> 9) % SUM_CACHE];

	if (*cached < p->sums_n && p->sums[*cached].key == key)
		return &p->sums[*cached];
	for (*cached = 0; *cached < p->sums_n; ++*cached)
		if (p->sums[*cached].key == key)
			return &p->sums[*cached];

	struct sum *s = array_push(p->sums, p->sums_n, p->sums_cap);

	s->key = key;
	return s;
}

/* Counts the pages of a range that no range before it had. */
static void count_range(struct pages *p, const struct range *range, uint32_t done)
{
	struct sum *s = NULL;
	uint32_t n = 0;
	struct page *page = NULL;

	for (uint32_t i = 0; i < range->n; i++, page++, n--) {
		if (n == 0)
			page = find_pages(p, range->space, range->first + i, &n);
		assert(page);
		if (page->last == done)
			continue;
		page->last = done;

		bool is_outside = page->mapcount > page->times;
		uint64_t key = page->sort | (is_outside ? SORT_OUTSIDE : 0) | (uint64_t)page->mappers << 9;

		if (!s || s->key != key)
			s = find_sum(p, key);
		s->pages++;
		s->mapped += page->times;
	}
}

/* Fewer than these may all be merged. */
#define KSM_PAGES_MIN 64

/*
 * Linux 6.12 sets the flag on every anonymous page, merged or not: it means something only while some page
 * goes without. The stack of a process is never merged as a whole.
 */
static bool tells_ksm(const struct pages *p)
{
	uint64_t flagged = 0;

	for (size_t i = 0; i < p->sums_n; i++) {
		uint64_t key = p->sums[i].key;

		if ((key & SORT_SWAPPED) || (key & SORT_BACKING) != BACKING_ANON)
			continue;
		if (!(key & SORT_KSM))
			return true;
		flagged += p->sums[i].pages;
	}
	return flagged < KSM_PAGES_MIN;
}

void pages_end(struct pages *p)
{
	/* Counted pages are marked with the serial of a process that comes after all others. */
	uint32_t done = ++p->serial;

	p->sums_n = 0;
	if (p->is_spoilt)
		return;
	for (size_t i = 0; i < p->ranges_n; i++)
		count_range(p, &p->ranges[i], done);
	p->has_ksm = tells_ksm(p);
}

size_t pages_rows(const struct pages *p)
{
	return p->sums_n;
}

void pages_fill_row(const struct pages *p, size_t i, int64_t *row, const char **ret_state,
		    const char **ret_backing)
{
	static const char *const backings[BACKING_COUNT] = { "anon", "shmem", "file", "zero" };
	uint64_t key = p->sums[i].key;
	bool is_swapped = key & SORT_SWAPPED;

	*ret_state = is_swapped ? "swapped" : "resident";
	*ret_backing = backings[key & SORT_BACKING];
	row[PAGES_IS_DIRTY] = (key & SORT_DIRTY) != 0;
	row[PAGES_IS_LAZYFREE] = (key & SORT_LAZYFREE) != 0;
	if (p->has_ksm)
		row[PAGES_IS_KSM] = (key & SORT_KSM) != 0;
	row[PAGES_IS_HUGE] = (key & SORT_HUGE) != 0;
	row[PAGES_IS_MLOCKED] = (key & SORT_MLOCKED) != 0;
	if (!is_swapped)
		row[PAGES_IS_SHARED_OUTSIDE] = (key & SORT_OUTSIDE) != 0;
	row[PAGES_MAPPERS] = (int64_t)(key >> 9);
	row[PAGES_KIB] = (int64_t)(p->sums[i].pages * PAGE_KIB);
	row[PAGES_MAPPED_KIB] = (int64_t)(p->sums[i].mapped * PAGE_KIB);
}
