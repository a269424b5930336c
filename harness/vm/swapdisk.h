/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_SWAPDISK_H
#define SWAPCAL_SWAPDISK_H

#include "harness/base/err.h"

/**
 * Makes path a raw, sparse swap disk of size_mib MiB with a swap header, as mkswap would for 4 KiB pages,
 * mode 0600. A file of that name is replaced. Same size, same bytes: the header's UUID is zero.
 */
struct err *swapdisk_create(const char *path, unsigned size_mib) must_check;

#endif
