/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

#include "harness/base/strbuf.h"
#include "harness/cell/cell.h"

/** A trait of a cell for a person: "swappiness 60", "mglru off", "512 MiB swap". Nothing when it is the usual
 * one. */
void format_trait(struct strbuf *out, const struct cell *cell, const struct cell_trait *trait);

/** Do all cells agree on that trait? */
bool format_is_shared(const struct cell *cells, size_t n, const struct cell_trait *trait);

/** ", a, b" of the traits that differ among the cells, as this cell has them. */
void format_varying(struct strbuf *out, const struct cell *cell, const struct cell *cells, size_t n);

/** "256 MiB: strings on python3, 4 processes, forked"; "256 MiB: ballast". */
void format_cell(struct strbuf *out, const struct cell *cell);
