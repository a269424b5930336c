/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "calibrate/evidence/text.h"
#include "guest/proto.h"
#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/measure/procfs.h"

#define PAGE_BYTES 4096

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

#define ENTRY_PRESENT    (1ull << 63)
#define ENTRY_SWAPPED    (1ull << 62)
#define ENTRY_FRAME      ((1ull << 55) - 1)
#define SWAP_TYPE        31ull
#define SWAP_OFFSET_UNIT 32ull

/* As the kernel marks a frame that is no memory of its own; also for a frame beyond the end of kpageflags. */
#define KPF_NOPAGE (1ull << 20)

struct reader {
	int pagemap, flags_fd, count_fd;
	struct strbuf *out;
	struct proto_page_run run; /* the one that may still grow; pages 0: none */
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

static void flush_run(struct reader *r)
{
	if (r->run.pages)
		strbuf_add(r->out, &r->run, sizeof(r->run));
	r->run.pages = 0;
}

/* By how much the frame or slot of next is further than that of the run's first page; false if all else
 * differs. */
static bool distance(const struct proto_page_run *run, uint64_t entry, uint64_t flags, uint32_t count,
		     int64_t *ret)
{
	bool is_present = entry & ENTRY_PRESENT;
	uint64_t number = is_present ? ENTRY_FRAME : ENTRY_FRAME & ~SWAP_TYPE;

	if ((run->entry & ~number) != (entry & ~number) || run->flags != flags || run->mapcount != count)
		return false;
	*ret = (int64_t)(entry & number) - (int64_t)(run->entry & number);
	if (!is_present)
		*ret /= (int64_t)SWAP_OFFSET_UNIT;
	return true;
}

static bool extend_run(struct proto_page_run *run, uint64_t address, uint64_t entry, uint64_t flags,
		       uint32_t count)
{
	int64_t d;

	if (!run->pages || run->pages == UINT16_MAX ||
	    address != run->address + (uint64_t)run->pages * PAGE_BYTES ||
	    !distance(run, entry, flags, count, &d))
		return false;
	if (run->pages == 1 && d >= -1 && d <= 1)
		run->step = (int16_t)d;
	if (d != (int64_t)run->step * run->pages)
		return false;
	run->pages++;
	return true;
}

static void add_page(struct reader *r, uint64_t address, uint64_t entry, uint64_t flags, uint64_t count)
{
	uint32_t mapcount = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;

	if (extend_run(&r->run, address, entry, flags, mapcount))
		return;
	flush_run(r);
	r->run = (struct proto_page_run){
		.address = address, .entry = entry, .flags = flags, .mapcount = mapcount, .pages = 1
	};
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
		r->range_flags[i] = KPF_NOPAGE;
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
		uint64_t frame = r->entries[i] & ENTRY_FRAME;

		if (!(r->entries[i] & ENTRY_PRESENT))
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
			uint64_t frame = (e & ENTRY_FRAME) - first;

			if (e & ENTRY_PRESENT)
				add_page(r, at, e, r->range_flags[frame], r->range_counts[frame]);
			else if (e & ENTRY_SWAPPED)
				add_page(r, at, e, 0, 0);
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
	text_each_smaps(smaps, smaps_len, on_mapping, on_field, &all);

	cleanup_free uint64_t *ends = all.ends;
	int error = all.bytes > MAPPINGS_BYTES_MAX ? E2BIG : 0;

	for (size_t i = 0; !error && i < all.n; i += 2)
		error = add_mapping(r, ends[i], ends[i + 1]);
	flush_run(r);
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
	    !(entry & ENTRY_FRAME) || read_words(r->flags_fd, &flags, 1, entry & ENTRY_FRAME) != 1)
		return "needs CAP_SYS_ADMIN";
	return NULL;
}
