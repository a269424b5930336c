/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/measure/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calibrate/evidence/text.h"
#include "guest/pages.h"
#include "harness/base/alloc.h"

/* smaps of a million mappings; what is longer has no end. */
#define FILE_BYTES_MAX (1u << 30)

/* The kernel gives a page's worth a time of most files, and up to this of some. */
#define READ_BYTES 65536

/* Numbers of stat's fields after the name, as proc(5) counts them. */
enum {
	STAT_STATE = 3,
	STAT_PPID = 4,
	STAT_UTIME = 14,
	STAT_STIME = 15,
	STAT_START = 22,
	STAT_VSIZE = 23,
	STAT_STACK = 28,
	STAT_END,
};

static int open_file(const char *proc, pid_t pid, const char *name)
{
	char path[PATH_MAX];
	int n = pid ? snprintf(path, sizeof(path), "%s/%d/%s", proc, (int)pid, name)
		    : snprintf(path, sizeof(path), "%s/%s", proc, name);

	if (n >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, O_RDONLY | O_CLOEXEC);
}

int procfs_read(const char *proc, pid_t pid, const char *name, struct strbuf *sb)
{
	cleanup_close int fd = open_file(proc, pid, name);
	size_t before = sb->len;

	if (fd < 0)
		return errno;
	for (;;) {
		char buf[READ_BYTES];
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			return 0;
		if (sb->len - before > FILE_BYTES_MAX)
			return EFBIG;
		strbuf_add(sb, buf, (size_t)n);
	}
}

/* Numbers of the fields behind the name; some are negative, none of those that are asked for. */
static bool parse_fields(const char *p, uint64_t values[STAT_END])
{
	for (int i = STAT_PPID; i < STAT_END; i++) {
		char *end;

		errno = 0;
		values[i] = strtoull(p, &end, 10);
		if (end == p || (*end != ' ' && *end != '\n') || (errno && *p != '-'))
			return false;
		p = end;
	}
	return true;
}

bool procfs_parse_stat(const char *text, size_t len, struct procfs_stat *ret)
{
	/* The longest: 52 numbers of at most 20 digits, and the name. */
	char buf[2048];
	uint64_t v[STAT_END];

	if (len == 0 || len >= sizeof(buf) || memchr(text, '\0', len))
		return false;
	memcpy(buf, text, len);
	buf[len] = '\0';

	char *name_end = strrchr(buf, ')'), *end;
	long pid = strtol(buf, &end, 10);

	if (pid <= 0 || pid > INT_MAX || strncmp(end, " (", 2) != 0)
		return false;
	if (!name_end || name_end < end || name_end[1] != ' ' || name_end[2] < 'A' || name_end[2] > 'z' ||
	    !parse_fields(name_end + 3, v) || v[STAT_PPID] > INT_MAX)
		return false;
	*ret = (struct procfs_stat){
		.pid = (pid_t)pid,
		.ppid = (pid_t)v[STAT_PPID],
		.state = name_end[2],
		.utime_ticks = v[STAT_UTIME],
		.stime_ticks = v[STAT_STIME],
		.start_ticks = v[STAT_START],
		.vsize_bytes = v[STAT_VSIZE],
		.stack_address = v[STAT_STACK],
	};
	return true;
}

bool procfs_stat(const char *proc, pid_t pid, struct procfs_stat *ret)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct procfs_stat st;

	if (procfs_read(proc, pid, "stat", &text) || !text.len ||
	    !procfs_parse_stat(text.data, text.len, &st) || st.pid != pid)
		return false;
	*ret = st;
	return true;
}

bool procfs_has_memory(const struct procfs_stat *st)
{
	return st->state != 'Z' && st->state != 'X' && st->state != 'x' && st->vsize_bytes > 0;
}

bool procfs_is_same(const struct procfs_stat *a, const struct procfs_stat *b)
{
	return a->pid == b->pid && a->start_ticks == b->start_ticks && a->stack_address == b->stack_address;
}

bool procfs_shares_memory(pid_t a, pid_t b)
{
	return syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0) == 0;
}

/* --- The pages of a process */

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

static struct reader *open_reader(const char *proc, pid_t pid)
{
	struct reader *r = xcalloc(1, sizeof(*r));

	r->runs = (struct page_runs){ r->rows, 0, ROWS };
	r->pagemap = open_file(proc, pid, "pagemap");
	r->flags_fd = r->pagemap < 0 ? -1 : open_file(proc, 0, "kpageflags");
	r->count_fd = r->flags_fd < 0 ? -1 : open_file(proc, 0, "kpagecount");
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
	for (size_t i = 0; i < COUNT(keys); i++)
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

/* --- Processes and their children */

void proctree_deinit(struct proctree *t)
{
	free(t->pids);
	*t = (struct proctree){ 0 };
}

/* Takes a decimal number that is an id away from *p; 0 when there is none. */
static pid_t take_pid(const char **p)
{
	char *end;

	errno = 0;

	long pid = strtol(*p, &end, 10);

	if (end == *p || errno || pid <= 0 || pid > INT_MAX)
		return 0;
	*p = end;
	return (pid_t)pid;
}

static bool has_pid(const struct proctree *t, pid_t pid)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->pids[i] == pid)
			return true;
	return false;
}

/* Once each: a process that gets another parent while we look would be met twice. */
static void add_pid(struct proctree *t, pid_t pid, pid_t without)
{
	if (pid != without && !has_pid(t, pid))
		*array_push(t->pids, t->n, t->cap) = pid;
}

/* The next entry of a directory of /proc that is an id; 0 at the end. */
static pid_t next_pid(DIR *dir)
{
	for (struct dirent *entry; (entry = readdir(dir));) {
		const char *p = entry->d_name;
		pid_t pid = take_pid(&p);

		if (pid && !*p)
			return pid;
	}
	return 0;
}

/* Each thread has children of its own. False when the kernel has no such lists. */
static bool add_children(const char *proc, pid_t pid, pid_t without, struct proctree *t)
{
	cleanup_free char *path = xasprintf("%s/%d/task", proc, (int)pid);
	cleanup(cleanup_dir_) DIR *dir = opendir(path);
	bool has_lists = true;

	for (pid_t tid; dir && (tid = next_pid(dir));) {
		cleanup_strbuf struct strbuf text = STRBUF_INIT;
		char name[64];

		snprintf(name, sizeof(name), "task/%d/children", (int)tid);

		int error = procfs_read(proc, pid, name, &text);
		const char *p = strbuf_str(&text);

		/* A thread that ended meanwhile is missing as well. */
		if (error == ENOENT) {
			char status[64];

			snprintf(status, sizeof(status), "task/%d/stat", (int)tid);
			has_lists = procfs_read(proc, pid, status, &text) != 0;
		} else if (!error) {
			for (pid_t child; (child = take_pid(&p));)
				add_pid(t, child, without);
		}
	}
	return has_lists;
}

static void find_by_parents(const char *proc, pid_t without, struct proctree *t)
{
	cleanup(cleanup_dir_) DIR *dir = opendir(proc);
	struct procfs_stat *all = NULL, st;
	size_t n = 0, cap = 0;

	for (pid_t pid; dir && (pid = next_pid(dir));)
		if (procfs_stat(proc, pid, &st))
			*array_push(all, n, cap) = st;
	/* Processes added at the end get their turn later. */
	for (size_t i = 0; i < t->n; i++)
		for (size_t j = 0; j < n; j++)
			if (all[j].ppid == t->pids[i])
				add_pid(t, all[j].pid, without);
	free(all);
}

void proctree_find(const char *proc, pid_t root, bool with_root, pid_t without, struct proctree *ret)
{
	bool has_lists = true;

	ret->n = 0;
	*array_push(ret->pids, ret->n, ret->cap) = root;
	for (size_t i = 0; has_lists && i < ret->n; i++)
		has_lists = add_children(proc, ret->pids[i], without, ret);
	if (!has_lists)
		find_by_parents(proc, without, ret);
	if (with_root)
		return;
	ret->n--;
	for (size_t i = 0; i < ret->n; i++)
		ret->pids[i] = ret->pids[i + 1];
}
