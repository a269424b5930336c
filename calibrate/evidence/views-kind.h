/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What the kind follows from. All texts are as in smaps. */
struct mapping_facts {
	const char *path;     /**< "" when there is none */
	const char *perms;    /**< "rw-p" */
	const char *dev;      /**< "fe:01" */
	const char *vm_flags; /**< NULL when the kernel has none (before 3.8) */
	bool is_tmpfs;        /**< the device is a mount of tmpfs */
};

/**
 * What a mapping is for, as far as its line in smaps tells:
 *
 *   heap, stack
 *   file_text    private, of a file, may be run and not written
 *   file_data    private, of a file, may be written: changed pages are anonymous
 *   file_ro      private, of a file, none of the two
 *   file_shared  MAP_SHARED, of a file
 *   shmem        memory that belongs to a file of tmpfs: shared anonymous, memfd, System V, /dev/shm
 *   hugetlb
 *   special      the kernel's own pages and those of drivers
 *   anon
 */
const char *mapping_kind(const struct mapping_facts *f);

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
