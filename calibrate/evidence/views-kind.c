/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/evidence/views-kind.h"

#include <string.h>

static const char *const names[MAPPING_KIND_COUNT] = {
	[MAPPING_HEAP] = "heap",           [MAPPING_STACK] = "stack",
	[MAPPING_FILE_TEXT] = "file_text", [MAPPING_FILE_DATA] = "file_data",
	[MAPPING_FILE_RO] = "file_ro",     [MAPPING_FILE_SHARED] = "file_shared",
	[MAPPING_SHMEM] = "shmem",         [MAPPING_HUGETLB] = "hugetlb",
	[MAPPING_SPECIAL] = "special",     [MAPPING_ANON] = "anon",
};

const char *mapping_kind_name(enum mapping_kind kind)
{
	return names[kind];
}

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

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

/* A name in brackets is not of a file but given by the kernel. */
static enum mapping_kind named_kind(const char *path)
{
	if (strcmp(path, "[heap]") == 0)
		return MAPPING_HEAP;
	/* [stack:TID] from 3.4 to 4.4, [threadstack:SIZE] in 2.6.32 */
	if (strcmp(path, "[stack]") == 0 || starts_with(path, "[stack:") ||
	    starts_with(path, "[threadstack:"))
		return MAPPING_STACK;
	if (starts_with(path, "[anon:"))
		return MAPPING_ANON;
	if (starts_with(path, "[anon_shmem:"))
		return MAPPING_SHMEM;
	return MAPPING_SPECIAL;
}

/*
 * Shared anonymous memory, memfds and System V segments are files of a tmpfs that is mounted nowhere. It was
 * the first device without a disk, 00:01, of most kernels.
 */
static bool is_shmem(const struct mapping_facts *f)
{
	return f->is_tmpfs || strcmp(f->dev, "00:01") == 0 || strcmp(f->path, "/dev/zero (deleted)") == 0 ||
	       starts_with(f->path, "/memfd:") || starts_with(f->path, "/SYSV") ||
	       starts_with(f->path, "/dev/shm/");
}

static enum mapping_kind file_kind(const char *perms)
{
	if (strlen(perms) != 4)
		return MAPPING_FILE_RO;
	if (perms[3] == 's')
		return MAPPING_FILE_SHARED;
	if (perms[1] == 'w')
		return MAPPING_FILE_DATA;
	return perms[2] == 'x' ? MAPPING_FILE_TEXT : MAPPING_FILE_RO;
}

enum mapping_kind mapping_kind(const struct mapping_facts *f)
{
	const char *path = f->path;

	if (has_flag(f->vm_flags, "ht") || starts_with(path, "/anon_hugepage"))
		return MAPPING_HUGETLB;
	if (!*path)
		return MAPPING_ANON;
	if (*path == '[')
		return named_kind(path);
	/* A private mapping of that device, which lies in a tmpfs, is how anonymous memory was once asked
	 * for. */
	if (strcmp(path, "/dev/zero") == 0)
		return MAPPING_ANON;
	if (starts_with(path, "anon_inode:") || starts_with(path, "socket:"))
		return MAPPING_SPECIAL;
	return is_shmem(f) ? MAPPING_SHMEM : file_kind(f->perms);
}
