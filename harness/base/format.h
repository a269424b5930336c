/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "harness/base/strbuf.h"

/*
 * Numbers and texts for people and programs, the same under every locale.
 */

/**
 * v with a fixed number of decimals (0 to 3), "" when it is not finite or too large to be meant. Halves are
 * rounded away from zero.
 */
const char *format_fixed(char buf[32], double v, int decimals);

/** The text with everything a terminal could take for a command, and what is no UTF-8, as '?'. */
void format_clean(struct strbuf *out, const char *text);

/** The cleaned text as a field of CSV (RFC 4180): quoted where it has a quote, a comma or a line end. */
void format_csv(struct strbuf *out, const char *text);

/** A JSON string of the cleaned text: a new reference. */
json_t *format_json_string(const char *text);

/** A JSON number of v as format_fixed() shows it, null when that is "": a new reference. */
json_t *format_json_fixed(double v, int decimals);

/** A JSON number of all of v, null when it is not finite: a new reference. */
json_t *format_json_number(double v);

/** A JSON array of the strings up to NULL, none when strings is NULL: a new reference. */
json_t *format_json_strings(const char *const *strings);

/** Appends the document (taken over), indented, with 15 digits of numbers and a line end, to out. */
void format_json(struct strbuf *out, json_t *root);
