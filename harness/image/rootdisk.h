/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "harness/base/err.h"

/*
 * The guest's read-only disks (root, a user's workloads), made with libguestfs; rootdisk.c is the only file
 * that includes <guestfs.h>.
 */

struct rootdisk_job {
	const char *tar;     /**< what goes on the disk */
	const char *disk;    /**< the qcow2 file to make */
	const char *label;   /**< of the file system, at most 16 bytes */
	const char *tmpdir;  /**< for the appliance's own files */
	uint64_t size_bytes; /**< virtual size of the disk */
	uint64_t inodes;
	bool force_tcg;                            /**< the appliance must not use KVM */
	void (*line)(void *arg, const char *line); /**< called with a word about what is going on */
	void *line_arg;
};

/** Makes a qcow2 disk holding one ext4 file system without a journal, filled from a tar. */
struct err *rootdisk_make(const struct rootdisk_job *job) must_check;

/** Is there a kernel that the appliance can boot? An error of kind ERR_HOST says what to do. */
struct err *rootdisk_check_host(void) must_check;

/** libguestfs's version, to be freed. */
char *rootdisk_version(void);
