/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "calibrate/evidence/pressure.h"

/** How this machine is just now. Takes less than a millisecond; what its kernel does not tell is NAN. */
void host_pressure_read(struct pressure *ret);

/**
 * Both moments as text, for the record: {"begin": {"t_us": ..., ...}, "end": {...}}, with null for what is
 * not known. To be freed.
 */
char *host_pressure_json(const struct pressure *begin, const struct pressure *end);
