/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "harness/base/err.h"

/* The disks that each guest has to itself: raw and sparse, of mode 0600. Same size, same bytes. */

/**
 * Makes path a swap disk of size_mib MiB with a swap header, as mkswap would for 4 KiB pages; its UUID is
 * zero. A file of that name is replaced.
 */
struct err *swapdisk_create(const char *path, unsigned size_mib) must_check;

/**
 * Makes path a disk with an empty ext4 that has room for files of size_mib MiB, by mke2fs. A file of that
 * name is replaced.
 */
struct err *scratchdisk_create(const char *path, unsigned size_mib) must_check;
