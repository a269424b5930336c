/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "calibrate/evidence/views.h"
#include "harness/base/err.h"

/*
 * Metrics are SQL of anybody. They run in a database of their own that holds nothing but the views, in
 * memory: no file is open there, an authorizer lets a query read the views and call pure functions and
 * nothing else, and time, memory and rows are limited. A wrong query is an error of kind ERR_USAGE: file and
 * line, SQLite's message, and the names that could have been meant.
 */

struct metric; /* its sql is the query; path and line say where that stands */

/** One value of a metric. */
struct metric_value {
	int64_t snapshot_id, probe_id;
	double y_kib;
	bool is_incomplete; /**< some evidence of the snapshot could not be read: y may be too small */
};

/**
 * Checks all that can be without data: one SELECT that gives exactly snapshot_id and y_kib, of columns that
 * exist. Adds the views it reads to *set (VIEW_BIT()s).
 */
struct err *query_check(const struct metric *metric, unsigned *set) must_check;

struct query;

/** A database over the views, which outlive it. */
struct err *query_open(const struct views *views, struct query **ret) must_check;
void query_close(struct query *q);
DEFINE_CLEANUP(cleanup_query, struct query *, query_close)

/** Limits what each query may take; without this, 10 s and 256 MiB. */
void query_limit(struct query *q, int64_t time_ms, int64_t memory_bytes);

/**
 * Runs a metric: at most one row for a snapshot. Rows whose y_kib is NULL (the kernel did not have the
 * numbers) are left out. Values come by snapshot_id; freed with free().
 */
struct err *query_metric(struct query *q, const struct metric *metric, struct metric_value **ret,
			 size_t *ret_n) must_check;
