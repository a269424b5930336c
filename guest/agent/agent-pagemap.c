/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "guest/agent/agent.h"
#include "guest/agent/agent-spawn.h"
#include "guest/pages.h"

/* The pages of a process, as runs. What the kernel says of each is read; what it means is the host's part. */

/* Entries read at once: what one page table holds, so that the kernel walks one at a time. */
#define CHUNK_PAGES 512

/*
 * Asking about a frame costs most, and processes share frames: what was read of a frame and its neighbours is
 * kept for a whole snapshot, as a byte, the number of its kind. 256 windows of 128 frames are 128 MiB of RAM
 * in 33 KiB. Small windows ask too often: a question costs as much as 100 frames.
 */
#define WINDOW_FRAMES 128
#define WINDOWS       256
#define KINDS_MAX     256

/* 64 Mi entries: far more than loads map, and the walk still ends. */
#define MAPPED_BYTES_MAX (256ull << 30)

/* Above are mappings of the kernel ([vsyscall]), of which there is no pagemap. */
#define USER_END (1ull << 63)

static int flags_fd = -1, counts_fd = -1;

static struct {
	uint32_t number; /* of the window, plus 1; 0: empty */
	uint8_t kinds[WINDOW_FRAMES];
} windows[WINDOWS];

static struct {
	uint64_t flags, count;
} kinds[KINDS_MAX];
static size_t n_kinds;

static uint64_t entries[CHUNK_PAGES];

/* The mappings of a process, in order of address. */
struct maps {
	int fd;
	size_t at, len;
	char text[2048];
};

const char *pagemap_init(void)
{
	flags_fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	counts_fd = open("/proc/kpagecount", O_RDONLY | O_CLOEXEC);
	return flags_fd < 0 || counts_fd < 0
		       ? fail("cannot open the kernel's page tables in /proc: %s", strerror(errno))
		       : NULL;
}

static int next_char(struct maps *m)
{
	if (m->at == m->len) {
		ssize_t n = read(m->fd, m->text, sizeof(m->text));

		m->len = n > 0 ? (size_t)n : 0;
		m->at = 0;
		if (m->len == 0)
			return EOF;
	}
	return (unsigned char)m->text[m->at++];
}

/* A hexadecimal number and the character behind it. */
static uint64_t next_number(struct maps *m, int *ret_end)
{
	uint64_t n = 0;
	int c;

	while ((c = next_char(m)) != EOF && ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
		n = n << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	*ret_end = c;
	return n;
}

/* "START-END ..."; false after the last one. */
static bool next_mapping(struct maps *m, uint64_t *ret_start, uint64_t *ret_end)
{
	int c;

	*ret_start = next_number(m, &c);
	if (c != '-')
		return false;
	*ret_end = next_number(m, &c);
	while (c != EOF && c != '\n')
		c = next_char(m);
	return true;
}

void pagemap_begin(void)
{
	memset(windows, 0, sizeof(windows));
	n_kinds = 0;
}

static uint8_t find_kind(uint64_t flag_bits, uint64_t count)
{
	for (size_t i = 0; i < n_kinds; i++)
		if (kinds[i].flags == flag_bits && kinds[i].count == count)
			return (uint8_t)i;
	kinds[n_kinds].flags = flag_bits;
	kinds[n_kinds].count = count;
	return (uint8_t)n_kinds++;
}

/* Frames that the kernel does not tell about (there are holes between banks of RAM) have 0. */
static void fill_window(size_t slot, uint64_t number)
{
	uint64_t frame_flags[WINDOW_FRAMES] = { 0 }, frame_counts[WINDOW_FRAMES] = { 0 };
	const off_t at = (off_t)(number * sizeof(frame_flags));

	if (pread(flags_fd, frame_flags, sizeof(frame_flags), at) < 0 ||
	    pread(counts_fd, frame_counts, sizeof(frame_counts), at) < 0)
		errno = 0;
	/* Other windows refer to the same kinds, so all of them begin anew. */
	if (n_kinds > KINDS_MAX - WINDOW_FRAMES)
		pagemap_begin();
	for (size_t i = 0; i < WINDOW_FRAMES; i++)
		windows[slot].kinds[i] = find_kind(frame_flags[i], frame_counts[i]);
	windows[slot].number = (uint32_t)number + 1;
}

/* The number of a frame's kind, good until the next question. */
static uint8_t kind_of_frame(uint64_t frame)
{
	uint64_t number = frame / WINDOW_FRAMES;
	size_t slot = number % WINDOWS;

	if (windows[slot].number != (uint32_t)number + 1)
		fill_window(slot, number);
	return windows[slot].kinds[frame % WINDOW_FRAMES];
}

static void send_runs(struct page_runs *runs, int64_t id, pid_t pid, bool more)
{
	evidence_begin_file(id, pid, "pagemap");
	msg_bool("more", more);
	msg_send((uint32_t)(runs->n * sizeof(runs->rows[0])));
	runs->n = 0;
}

static void add_chunk(struct page_runs *runs, int64_t id, pid_t pid, uint64_t address, size_t n)
{
	for (size_t i = 0; i < n; i++, address += PAGE_BYTES) {
		bool is_in_ram = entries[i] & PAGE_IN_RAM;
		uint8_t kind = is_in_ram ? kind_of_frame(entries[i] & PAGE_FRAME) : 0;

		while (!page_runs_add(runs, address, entries[i], kinds[kind].flags, kinds[kind].count))
			send_runs(runs, id, pid, true);
	}
}

static bool is_empty(size_t n)
{
	uint64_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= entries[i];
	return !(any & (PAGE_IN_RAM | PAGE_IN_SWAP));
}

static const char *walk_mapping(int fd, struct page_runs *runs, int64_t id, pid_t pid, uint64_t start,
				uint64_t end)
{
	while (start < end) {
		/* Up to where the next page table begins. */
		size_t n = CHUNK_PAGES - start / PAGE_BYTES % CHUNK_PAGES;

		if (n > (end - start) / PAGE_BYTES)
			n = (end - start) / PAGE_BYTES;
		sample_tick();

		ssize_t len = pread(fd, entries, n * sizeof(entries[0]), (off_t)(start / PAGE_BYTES * 8));

		if (len < 0)
			return fail("cannot read the pagemap of process %d: %s", (int)pid, strerror(errno));
		if ((size_t)len != n * sizeof(entries[0]))
			return fail("the pagemap of process %d ends early", (int)pid);
		if (!is_empty(n))
			add_chunk(runs, id, pid, start, n);
		start += n * PAGE_BYTES;
	}
	return NULL;
}

static const char *walk(int fd, struct maps *m, int64_t id, pid_t pid)
{
	struct page_runs runs = { (struct proto_page_run *)msg_payload(), 0,
				  PROTO_PAYLOAD_MAX / sizeof(struct proto_page_run) };
	const char *error = NULL;
	uint64_t start, end;

	while (!error && next_mapping(m, &start, &end))
		if (end < USER_END)
			error = walk_mapping(fd, &runs, id, pid, start, end);
	if (!error)
		send_runs(&runs, id, pid, false);
	return error;
}

static uint64_t mapped_bytes(pid_t pid)
{
	char path[48], text[128] = "";

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	file_read(path, text, sizeof(text), NULL);
	return strtoull(text, NULL, 10) * PAGE_BYTES;
}

const char *pagemap_send(int64_t id, pid_t pid)
{
	static struct maps m;
	char path[48];
	const char *error = NULL;

	if (mapped_bytes(pid) > MAPPED_BYTES_MAX)
		return fail("process %d has mapped more than %llu GiB", (int)pid, MAPPED_BYTES_MAX >> 30);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	m.fd = open(path, O_RDONLY | O_CLOEXEC);
	m.at = m.len = 0;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);

	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (m.fd < 0 || fd < 0 || flags_fd < 0 || counts_fd < 0)
		error = fail("cannot open the pages of process %d: %s", (int)pid, strerror(errno));
	else
		error = walk(fd, &m, id, pid);
	close_fd(&m.fd);
	close_fd(&fd);
	return error;
}
