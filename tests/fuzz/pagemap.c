/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Page runs of two processes, which a guest may have made up: the second has the runs of the second half. */
#include "guest/proto.h"
#include "tests/fuzz/tables.h"

/* So many runs can name a few million pages, which takes some milliseconds. */
#define BYTES_MAX (32 * sizeof(struct proto_page_run))

static int64_t cell(const struct views *v, size_t row, const char *column)
{
	return views_row(v, VIEW_PAGES, row)[view_column_find(VIEW_PAGES, column)];
}

/* Pages are counted once, as often as they are mapped, and by one or both of the processes. */
static void check_pages(const struct views *v)
{
	for (size_t row = 0; row < views_rows(v, VIEW_PAGES); row++) {
		int64_t kib = cell(v, row, "kib"), mapped = cell(v, row, "mapped_kib"),
			mappers = cell(v, row, "mappers");

		must_hold(kib > 0 && kib % 4 == 0 && mapped >= kib && mapped % 4 == 0);
		must_hold((mappers == 1 || mappers == 2) && mapped >= kib * mappers);
	}
}

/* Of kpageflags: no page of memory stands behind the number; a page that the kernel keeps to itself. */
#define FLAG_NOPAGE   (1ull << 20)
#define FLAG_RESERVED (1ull << 32)

/* From here on, types in an entry are of no swap area. */
#define TYPES_SWAP 23

/* More are not counted again. */
#define PAGES_MAX 4096

struct count {
	uint64_t pages[PAGES_MAX]; /* number of the frame; or of the slot, with its area from bit 58 on */
	size_t n;
	uint64_t mapped;
};

static void count_page(struct count *c, const struct proto_page_run *r, unsigned i)
{
	bool is_present = r->entry >> 63;
	uint64_t number = r->entry & ((1ull << 55) - 1), type = number & 31;

	if (is_present && (r->flags & FLAG_NOPAGE || !(r->flags & ~FLAG_RESERVED)))
		return;
	if (!is_present && type >= TYPES_SWAP)
		return;
	c->mapped++;
	if (c->n == PAGES_MAX)
		return;
	if (!is_present)
		number >>= 5;
	number += (uint64_t)((int64_t)i * r->step);
	c->pages[c->n++] = is_present ? number : number | (type + 1) << 58;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The sums over all rows are what counting page by page gives. */
static void check_sums(const struct views *v, const char *data, size_t half, size_t size)
{
	static struct count c;
	int64_t kib = 0, mapped = 0;
	size_t distinct = 0;

	c.n = c.mapped = 0;
	for (size_t at = 0; at < size; at += sizeof(struct proto_page_run)) {
		struct proto_page_run r;

		memcpy(&r, data + at, sizeof(r));
		for (unsigned i = 0; i < r.pages; i++)
			for (unsigned times = at >= half ? 2 : 1; times > 0; times--)
				count_page(&c, &r, i);
	}
	for (size_t row = 0; row < views_rows(v, VIEW_PAGES); row++) {
		kib += cell(v, row, "kib");
		mapped += cell(v, row, "mapped_kib");
	}
	must_hold((uint64_t)mapped == c.mapped * 4);
	if (c.n == PAGES_MAX)
		return;
	qsort(c.pages, c.n, sizeof(c.pages[0]), by_number);
	for (size_t i = 0; i < c.n; i++)
		distinct += i == 0 || c.pages[i] != c.pages[i - 1];
	must_hold((uint64_t)kib == distinct * 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *runs = (const char *)data;
	size_t half = size / 2 / sizeof(struct proto_page_run) * sizeof(struct proto_page_run);

	if (size > BYTES_MAX)
		return -1;

	cleanup(cleanup_views_) struct views *v = views_create(VIEWS_ALL);

	views_begin(v, 7, 3, "onset");
	views_add(v, 10, "pagemap", runs, size);
	views_add(v, 11, "pagemap", runs + half, size - half);
	views_end(v);
	check_pages(v);
	/* One bad run, and the snapshot has no pages at all. */
	if (views_rows(v, VIEW_PAGES))
		check_sums(v, runs, half, size);
	check_tables(v, 7);
	return 0;
}
