/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "calibrate/evidence/text.h"
#include "guest/pages.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/measure/procfs.h"

/* As in the guest: 512 MiB of pagemap to read, some seconds. */
#define MAPPINGS_BYTES_MAX (256ull << 30)

/* Pages of one step: 256 KiB of pagemap, 128 MiB of memory. */
#define CHUNK_PAGES 32768

/*
 * kpageflags and kpagecount are read for a range of frames at once while it is dense: what the frames between
 * cost (some 20 ns each) is less than another two calls.
 */
#define RANGE_FRAMES_MAX 4096
#define RANGE_GAP_MAX    32

/* Runs that are kept until there are so many. */
#define ROWS 1024

struct reader {
	int pagemap, flags_fd, count_fd;
	struct strbuf *out;
	struct page_runs runs; /* in rows */
	struct proto_page_run rows[ROWS];
	uint64_t entries[CHUNK_PAGES];
	uint64_t range_flags[RANGE_FRAMES_MAX], range_counts[RANGE_FRAMES_MAX];
};

static void close_reader(struct reader *r)
{
	if (r->pagemap >= 0)
		close(r->pagemap);
	if (r->flags_fd >= 0)
		close(r->flags_fd);
	if (r->count_fd >= 0)
		close(r->count_fd);
	free(r);
}
DEFINE_CLEANUP(cleanup_reader, struct reader *, close_reader)

static int open_in(const char *proc, const char *name)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", proc, name) >= (int)sizeof(path))
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC);
}

static struct reader *open_reader(const char *proc, pid_t pid)
{
	struct reader *r = xcalloc(1, sizeof(*r));
	char name[32];

	snprintf(name, sizeof(name), "%d/pagemap", (int)pid);
	r->runs = (struct page_runs){ r->rows, 0, ROWS };
	r->pagemap = open_in(proc, name);
	r->flags_fd = r->pagemap < 0 ? -1 : open_in(proc, "kpageflags");
	r->count_fd = r->flags_fd < 0 ? -1 : open_in(proc, "kpagecount");
	return r;
}

/* How many whole words there are, up to n; -1 when reading failed. */
static ssize_t read_words(int fd, uint64_t *words, size_t n, uint64_t first)
{
	size_t got = 0;

	while (got < n * sizeof(*words)) {
		ssize_t k = pread(fd, (char *)words + got, n * sizeof(*words) - got,
				  (off_t)(first * sizeof(*words) + got));

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		if (k == 0)
			break;
		got += (size_t)k;
	}
	return (ssize_t)(got / sizeof(*words));
}

static void flush_runs(struct reader *r)
{
	strbuf_add(r->out, r->rows, r->runs.n * sizeof(r->rows[0]));
	r->runs.n = 0;
}

/* Flags and counts of the frames [first, end), into the range's buffers. */
static int read_range(struct reader *r, uint64_t first, uint64_t end)
{
	size_t n = (size_t)(end - first);
	ssize_t flags = read_words(r->flags_fd, r->range_flags, n, first);
	ssize_t counts = read_words(r->count_fd, r->range_counts, n, first);

	if (flags < 0 || counts < 0)
		return errno;
	for (size_t i = (size_t)flags; i < n; i++)
		r->range_flags[i] = FRAME_NOPAGE;
	for (size_t i = (size_t)counts; i < n; i++)
		r->range_counts[i] = 0;
	return 0;
}

/* The entries from i on whose frames lie so near that one range is good for all; *first, *end is that range.
 */
static size_t range_end(const struct reader *r, size_t i, size_t n, uint64_t *first, uint64_t *end)
{
	*first = *end = 0;
	for (; i < n; i++) {
		uint64_t frame = r->entries[i] & PAGE_FRAME;

		if (!(r->entries[i] & PAGE_IN_RAM))
			continue;
		if (*end == *first) {
			*first = frame;
			*end = frame + 1;
			continue;
		}

		uint64_t low = frame < *first ? frame : *first, high = frame >= *end ? frame + 1 : *end;

		if ((high - low) - (*end - *first) > RANGE_GAP_MAX || high - low > RANGE_FRAMES_MAX)
			break;
		*first = low;
		*end = high;
	}
	return i;
}

static int add_chunk(struct reader *r, uint64_t address, size_t n)
{
	for (size_t i = 0; i < n;) {
		uint64_t first, end;
		size_t next = range_end(r, i, n, &first, &end);
		int error = end > first ? read_range(r, first, end) : 0;

		if (error)
			return error;
		for (; i < next; i++) {
			uint64_t e = r->entries[i], at = address + i * PAGE_BYTES;
			uint64_t frame = e & PAGE_IN_RAM ? (e & PAGE_FRAME) - first : 0;

			while (!page_runs_add(&r->runs, at, e, r->range_flags[frame], r->range_counts[frame]))
				flush_runs(r);
		}
	}
	return 0;
}

static int add_mapping(struct reader *r, uint64_t start, uint64_t end)
{
	for (uint64_t page = start / PAGE_BYTES; page < end / PAGE_BYTES;) {
		uint64_t left = end / PAGE_BYTES - page;
		size_t want = left < CHUNK_PAGES ? (size_t)left : CHUNK_PAGES;
		ssize_t n = read_words(r->pagemap, r->entries, want, page);

		if (n < 0)
			return errno;
		/* It ends at the end of user memory, or because the process ended. */
		if (n == 0)
			return 0;

		int error = add_chunk(r, page * PAGE_BYTES, (size_t)n);

		if (error)
			return error;
		page += (uint64_t)n;
	}
	return 0;
}

/* The mappings of smaps that have pages, as pairs of start and end. */
struct mappings {
	uint64_t *ends; /* start, end, start, end, ... */
	size_t n, cap;
	uint64_t start, end, bytes;
	bool is_taken;
};

static void on_mapping(void *arg, const struct text_mapping *m)
{
	struct mappings *all = arg;

	all->start = m->start;
	all->end = m->end;
	all->is_taken = false;
}

static void on_field(void *arg, struct text_span key, uint64_t value, bool has_kib)
{
	static const char *const keys[] = { "Rss", "Swap", "Shared_Hugetlb", "Private_Hugetlb" };
	struct mappings *all = arg;

	(void)has_kib;
	if (all->is_taken || !value)
		return;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (text_span_is(key, keys[i])) {
			all->is_taken = true;
			all->bytes += all->end - all->start;
			*array_push(all->ends, all->n, all->cap) = all->start;
			*array_push(all->ends, all->n, all->cap) = all->end;
			return;
		}
}

int procfs_pagemap(const char *proc, pid_t pid, const char *smaps, size_t smaps_len, struct strbuf *sb)
{
	struct mappings all = { 0 };
	cleanup(cleanup_reader_) struct reader *r = open_reader(proc, pid);

	if (r->count_fd < 0)
		return errno;
	r->out = sb;
	text_each_smaps(smaps, smaps_len, on_mapping, on_field, NULL, &all);

	cleanup_free uint64_t *ends = all.ends;
	int error = all.bytes > MAPPINGS_BYTES_MAX ? E2BIG : 0;

	for (size_t i = 0; !error && i < all.n; i += 2)
		error = add_mapping(r, ends[i], ends[i + 1]);
	flush_runs(r);
	return error;
}

/* The kernel hides frame numbers, not entries, from who may not see them: look at a page that is surely
 * there. */
const char *procfs_pages_missing(const char *proc)
{
	cleanup(cleanup_reader_) struct reader *r = open_reader(proc, getpid());
	uint64_t entry = 0, flags;

	if (r->pagemap >= 0 && r->flags_fd < 0 && errno == ENOENT)
		return "this kernel has no kpageflags";
	if (r->count_fd < 0 || read_words(r->pagemap, &entry, 1, (uintptr_t)&entry / PAGE_BYTES) != 1 ||
	    !(entry & PAGE_FRAME) || read_words(r->flags_fd, &flags, 1, entry & PAGE_FRAME) != 1)
		return "needs CAP_SYS_ADMIN";
	return NULL;
}
