/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

#include "harness/base/err.h"

/** A metric is a page of text; more is a mistake. */
#define METRIC_BYTES_MAX 65536

/*
 * A metric is one .sql file: a header of comment lines, then one SELECT giving snapshot_id, y_kib.
 *
 *     -- name: rss
 *     -- summary: one line
 *     -- meaning: text, which goes on
 *     --   in lines that are indented by three blanks or more
 *     -- wrong when: text
 *     -- source: where the numbers come from
 *     SELECT ...
 */
struct metric {
	char *path;
	char *name; /**< lower-case letters, digits and underscores; the name of the file without .sql */
	char *summary, *meaning, *wrong_when, *source;
	char *best_for; /**< "" when it is not recommended for anything */
	char *sql;
	unsigned line; /**< of the file, where sql begins */
};

/** The metrics that come with swapcal, by name; an error when there is none. Freed with metrics_free(). */
struct err *metric_load_shipped(struct metric **ret, size_t *ret_n) must_check;

/**
 * The shipped metric of that name; an error of kind ERR_USAGE when there is none. What is wrong with a file
 * is one too, with file and line.
 */
struct err *metric_find(const char *name, struct metric *ret) must_check;

/**
 * The shipped metrics, and after them once more, or from its file, the one on trial: the name of a shipped
 * one, or a path (it has a '/' or ends in ".sql"). The file of a path may go without the header: then all of
 * it is SQL, and the metric has the name of the file.
 */
struct err *metric_load_trial(const char *name_or_path, struct metric **ret, size_t *ret_n) must_check;

void metric_deinit(struct metric *m);
void metrics_free(struct metric *metrics, size_t n);
