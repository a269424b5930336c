/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "calibrate/evidence/text.h"

/** Is it a file of the guest that has numbers? */
bool guest_file_is_one(const char *name);

/**
 * Each number of such a file. Its key is the file's name, a dot, and what the file calls it:
 * "meminfo.MemTotal". Of zoneinfo these are the watermarks of all zones together, of slabinfo the KiB of each
 * cache's slabs, of pressure the totals. Lines that are not as a kernel writes them are left out.
 */
void guest_file_each_number(const char *name, const char *data, size_t len, text_number_fn *f, void *arg);
