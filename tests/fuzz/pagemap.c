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
	check_tables(v, 7);
	return 0;
}
