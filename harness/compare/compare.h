/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "calibrate/stats/agreement.h"
#include "harness/base/strbuf.h"

/* How an agreement is told to people and programs. The data have any unit, so numbers have any size. */

#define COMPARE_SCHEMA_VERSION 1

/** What was compared. */
struct compare_subject {
	const char *name; /**< of the file */
	const char *unit; /**< what counts once: "cluster", "cell" or "pair" */
	struct agreement_params params;
};

/**
 * Appends tables, notes and, as the last line, the verdict. Lines have at most 100 columns, but for that of
 * the file's name.
 */
void compare_text(const struct agreement *a, const struct compare_subject *s, struct strbuf *out);

/** Appends a JSON object. What is not defined or not finite is null. */
void compare_json(const struct agreement *a, const struct compare_subject *s, struct strbuf *out);

/** Puts all of an agreement into a JSON object: what compare_json() has but for the subject. */
void compare_json_members(const struct agreement *a, json_t *o);
