/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_SCRATCHDISK_H
#define SWAPCAL_SCRATCHDISK_H

#include "harness/base/err.h"

/**
 * Makes path a raw, sparse disk with an empty ext4 that has room for files of size_mib MiB, mode 0600, by
 * mke2fs. A file of that name is replaced. Same size, same bytes.
 */
struct err *scratchdisk_create(const char *path, unsigned size_mib) must_check;

#endif
