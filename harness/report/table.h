/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <math.h>

#include "harness/base/format.h"
#include "harness/base/strbuf.h"
#include "harness/cell/cell.h"
#include "harness/cell/record.h"
#include "harness/report/report.h"

/*
 * Columns of tables for a person. All numbers have one decimal: a tenth of a MiB, or of a percent, is finer
 * than any Z* is known. "-" is what is not known.
 */

#define TABLE_DECIMALS 1

/** Room for the text of a number or a range. */
#define TABLE_TEXT 100

/** A number with its unit, "" or "+" as sign for a plus sign before what is not negative; buf. */
const char *table_number(char buf[TABLE_TEXT], double v, const char *sign, const char *unit);

/** "[lo, hi]", each with the sign as above; buf. */
const char *table_range(char buf[TABLE_TEXT], double lo, double hi, const char *sign);

/** The same for an argument of strbuf_addf(): their text lives until the end of the block. */
#define NUMBER_TEXT(v, sign, unit)     table_number((char[TABLE_TEXT]){ 0 }, v, sign, unit)
#define RANGE_TEXT(lo, hi, sign)       table_range((char[TABLE_TEXT]){ 0 }, lo, hi, sign)
#define MIB_TEXT(kib)                  NUMBER_TEXT((kib) / 1024, "", "")
#define MIB_RANGE_TEXT(lo_kib, hi_kib) RANGE_TEXT((lo_kib) / 1024, (hi_kib) / 1024, "")

/** Percents as a user gave them: whole ones without decimals. */
#define MARGIN_TEXT(pct) format_fixed((char[32]){ 0 }, pct, (pct) == floor(pct) ? 0 : 2)

/** The width of a column of cells that leaves room for nine of numbers. */
#define TABLE_LABEL 18

/** The cell, with what distinguishes it from the others of the report. */
void table_name(struct strbuf *out, const struct report *r, const struct cell *cell);

/** The cell, after two blanks and in width columns; on a line of its own when it is longer. */
void table_cell(struct strbuf *out, int width, const struct report *r, const struct cell *cell);

/** The end of a line: flags, or nothing, and no blanks. */
void table_end_line(struct strbuf *out, const char *flags);
