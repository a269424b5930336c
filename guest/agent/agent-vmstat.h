/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "guest/proto.h"

/** Opens /proc/vmstat and learns which line holds which counter. NULL, or the reason. */
const char *vmstat_init(void);

/** Reads the counters of /proc/vmstat into the sample; those the kernel does not have stay as they are. */
void vmstat_read(struct proto_sample *s);
