/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "harness/base/err.h"
#include "harness/image/rootdisk.h"
#include "harness/image/workloads.h"

/*
 * A user's workloads as a read-only disk for guests. Disks are entries of the part `workloads` of the cache
 * (see build-cache.h): KEY/disk.qcow2, where KEY is the sha256 of what is on the disk. One that no run has
 * asked for in 30 days is removed when another is made.
 */

/** The key of a disk with these files, 64 hex digits and a NUL: their names, executable or not, and bytes. */
void userdisk_key(const struct workloads *files, char key[65]);

/** {"key":..., "files": {NAME: sha256}}, for the audit. A new reference. */
json_t *userdisk_describe(const struct workloads *files);

struct userdisk_options {
	bool force_tcg;                                      /**< the appliance must not use KVM */
	struct err *(*make)(const struct rootdisk_job *job); /**< NULL: rootdisk_make() */
};

/**
 * The disk with these files, made unless the cache has it; *ret is its path, to be freed. One build runs at a
 * time, others wait; an interrupted one leaves nothing that looks like a disk.
 */
struct err *userdisk_find_or_build(const struct workloads *files, const struct userdisk_options *options,
				   char **ret) must_check;
