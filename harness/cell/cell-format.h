/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_CELL_FORMAT_H
#define SWAPCAL_CELL_FORMAT_H

#include <stddef.h>

#include "harness/base/strbuf.h"
#include "harness/cell/record.h"

/**
 * A setting of a cell for a person: "swappiness 60", "mglru off", "512 MiB swap". Nothing for one that goes
 * without saying (no icount).
 */
void format_setting(struct strbuf *out, const struct cell *cell, const char *key);

/** Settings in the order they are told: names of members of a cell's identity; NULL at the end. */
extern const char *const format_settings[];

/** Do all cells agree on that member of their identity? */
bool format_is_shared(const struct cell *cells, size_t n, const char *key);

/** ", a, b" of the settings that differ among the cells, as this cell has them. */
void format_varying(struct strbuf *out, const struct cell *cell, const struct cell *cells, size_t n);

/** "256 MiB: strings on python3, 4 processes, forked"; "256 MiB: ballast". */
void format_cell(struct strbuf *out, const struct cell *cell);

#endif
