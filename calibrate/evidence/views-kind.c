/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/views-kind.h"

#include <stdlib.h>
#include <string.h>

#include "calibrate/evidence/text.h"
#include "harness/base/alloc.h"

/* Flags are words of two letters with a blank between. */
static bool has_flag(const char *flags, const char *flag)
{
	for (; flags && strlen(flags) >= 2; flags += 3) {
		if (flags[0] == flag[0] && flags[1] == flag[1])
			return true;
		if (flags[2] != ' ')
			break;
	}
	return false;
}

/* The kernel gives names in brackets to what is no file. */
static const char *named_kind(const char *path)
{
	if (strcmp(path, "[heap]") == 0)
		return "heap";
	/* [stack:TID] from 3.4 to 4.4, [threadstack:SIZE] in 2.6.32 */
	if (strcmp(path, "[stack]") == 0 || text_starts_with(path, "[stack:") ||
	    text_starts_with(path, "[threadstack:"))
		return "stack";
	if (text_starts_with(path, "[anon:"))
		return "anon";
	if (text_starts_with(path, "[anon_shmem:"))
		return "shmem";
	return "special";
}

/*
 * Shared anonymous memory, memfds and System V segments are files of a tmpfs that is mounted nowhere. It was
 * the first device without a disk, 00:01, of most kernels.
 */
static bool is_shmem(const struct mapping_facts *f)
{
	return f->is_tmpfs || strcmp(f->dev, "00:01") == 0 || strcmp(f->path, "/dev/zero (deleted)") == 0 ||
	       text_starts_with(f->path, "/memfd:") || text_starts_with(f->path, "/SYSV") ||
	       text_starts_with(f->path, "/dev/shm/");
}

static const char *file_kind(const char *perms)
{
	if (strlen(perms) != 4)
		return "file_ro";
	if (perms[3] == 's')
		return "file_shared";
	if (perms[1] == 'w')
		return "file_data";
	return perms[2] == 'x' ? "file_text" : "file_ro";
}

const char *mapping_kind(const struct mapping_facts *f)
{
	const char *path = f->path;

	if (has_flag(f->vm_flags, "ht") || text_starts_with(path, "/anon_hugepage"))
		return "hugetlb";
	if (!*path)
		return "anon";
	if (*path == '[')
		return named_kind(path);
	/*
	 * Programs once asked for anonymous memory by a private mapping of this device, which lies in a
	 * tmpfs.
	 */
	if (strcmp(path, "/dev/zero") == 0)
		return "anon";
	if (text_starts_with(path, "anon_inode:") || text_starts_with(path, "socket:"))
		return "special";
	return is_shmem(f) ? "shmem" : file_kind(f->perms);
}

void mounts_deinit(struct mounts *m)
{
	free(m->devices);
}

void mounts_clear(struct mounts *m)
{
	m->n = 0;
}

/* "MAJOR:MINOR" of exactly this base; both have at most 32 bits in any kernel. */
static bool parse_device(struct text_span s, unsigned base, uint64_t *ret)
{
	struct text_span major;
	uint64_t part[2];

	if (!text_take_until(&s, ':', &major) || !text_take_number(&major, base, &part[0]) || major.len ||
	    !text_take_number(&s, base, &part[1]) || s.len || (part[0] | part[1]) > UINT32_MAX)
		return false;
	*ret = part[0] << 32 | part[1];
	return true;
}

/* A first root file system is a tmpfs when it has a size, else a ramfs, which never swaps. */
static bool is_memory(struct text_span type, struct text_span options)
{
	if (text_span_is(type, "tmpfs") || text_span_is(type, "devtmpfs"))
		return true;
	return text_span_is(type, "rootfs") && memmem(options.ptr, options.len, "size=", 5);
}

/*
 * A line of mountinfo:
 *
 *     25 24 0:23 / /dev/shm rw,relatime shared:3 - tmpfs tmpfs rw,size=24684084k
 *
 * Blanks within a word are escaped. Device numbers are decimal here and hexadecimal in smaps.
 */
static void add_line(struct mounts *m, struct text_span line)
{
	struct text_span id, parent, dev, word, type, source, options;
	uint64_t device;

	if (!text_take_word(&line, &id) || !text_take_word(&line, &parent) || !text_take_word(&line, &dev))
		return;
	while (text_take_word(&line, &word) && !text_span_is(word, "-"))
		continue;
	if (!text_take_word(&line, &type) || !text_take_word(&line, &source) ||
	    !text_take_word(&line, &options))
		return;
	if (is_memory(type, options) && parse_device(dev, 10, &device))
		*array_push(m->devices, m->n, m->cap) = device;
}

void mounts_add(struct mounts *m, const char *data, size_t len)
{
	struct text_span rest = { data, len }, line;

	while (text_take_line(&rest, &line))
		add_line(m, line);
	m->is_sorted = false;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

bool mounts_is_tmpfs(struct mounts *m, const char *dev)
{
	uint64_t device;

	if (!m->n || !parse_device((struct text_span){ dev, strlen(dev) }, 16, &device))
		return false;
	if (!m->is_sorted)
		qsort(m->devices, m->n, sizeof(*m->devices), compare);
	m->is_sorted = true;
	return bsearch(&device, m->devices, m->n, sizeof(*m->devices), compare);
}
