/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdint.h>

#include "harness/cell/cell.h"
#include "harness/cell/record.h"

/** How long a probe took, all its phases; 0 when no guest was needed. */
int64_t probe_time_ms(const struct probe_record *r);

/**
 * Seconds that a probe of the cell may take where none has been measured: as on the machine the project was
 * measured on (2 cores, TCG).
 */
double probe_time_typical_s(const struct cell *cell);

/** "2 min 05 s", to be freed. */
char *probe_time_format(double seconds);
