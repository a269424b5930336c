/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What a mapping is for, as far as its line in smaps tells. */
enum mapping_kind {
	MAPPING_HEAP,
	MAPPING_STACK,
	MAPPING_FILE_TEXT,   /**< private, of a file, may be run and not written */
	MAPPING_FILE_DATA,   /**< private, of a file, may be written: changed pages are anonymous */
	MAPPING_FILE_RO,     /**< private, of a file, none of the two */
	MAPPING_FILE_SHARED, /**< MAP_SHARED, of a file */
	MAPPING_SHMEM,       /**< memory that belongs to a file of tmpfs: shared anonymous, memfd, System V,
				/dev/shm */
	MAPPING_HUGETLB,
	MAPPING_SPECIAL, /**< the kernel's own pages and those of drivers */
	MAPPING_ANON,
	MAPPING_KIND_COUNT,
};

/** What the kind follows from. All texts are as in smaps. */
struct mapping_facts {
	const char *path;     /**< "" when there is none */
	const char *perms;    /**< "rw-p" */
	const char *dev;      /**< "fe:01" */
	const char *vm_flags; /**< NULL when the kernel has none (before 3.8) */
	bool is_tmpfs;        /**< the device is a mount of tmpfs */
};

enum mapping_kind mapping_kind(const struct mapping_facts *f);

/** "heap", "stack", "file_text", ... */
const char *mapping_kind_name(enum mapping_kind kind);

/** Which devices are file systems in memory, as mountinfo tells. */
struct mounts {
	uint64_t *devices;
	size_t n, cap;
	bool is_sorted;
};

void mounts_deinit(struct mounts *m);

/** Forgets what it knows. */
void mounts_clear(struct mounts *m);

/** Takes in the text of /proc/PID/mountinfo. */
void mounts_add(struct mounts *m, const char *data, size_t len);

/** Is the device, as smaps writes it, a tmpfs? */
bool mounts_is_tmpfs(struct mounts *m, const char *dev);
