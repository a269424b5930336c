/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_TABLE_H
#define SWAPCAL_TABLE_H

#include "harness/base/strbuf.h"
#include "harness/cell/record.h"
#include "harness/report/report.h"

/*
 * Columns of tables for a person. All numbers have one decimal: a tenth of a MiB, or of a percent, is finer
 * than any Z* is known. "-" is what is not known.
 */

#define TABLE_DECIMALS 1

/** Right-aligned in width columns: sign is "" or "+" for a plus sign before what is not negative. */
void table_number(struct strbuf *out, int width, double v, const char *sign, const char *unit);

/** KiB as MiB. */
void table_mib(struct strbuf *out, int width, double kib);

/** "[lo, hi]", left-aligned in width columns, each with the sign as above. */
void table_range(struct strbuf *out, int width, double lo, double hi, const char *sign);

/** The same of KiB as MiB, without signs. */
void table_range_mib(struct strbuf *out, int width, double lo_kib, double hi_kib);

/** The width of a column of cells that leaves room for nine of numbers. */
#define TABLE_LABEL 18

/** The cell, with what distinguishes it from the others of the report. */
void table_name(struct strbuf *out, const struct report *r, const struct cell *cell);

/** The cell, after two blanks and in width columns; on a line of its own when it is longer. */
void table_cell(struct strbuf *out, int width, const struct report *r, const struct cell *cell);

/** The end of a line: flags, or nothing, and no blanks. */
void table_end_line(struct strbuf *out, const char *flags);

#endif
