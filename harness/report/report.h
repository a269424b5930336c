/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

#include "harness/base/cleanup.h"
#include "harness/base/err.h"
#include "harness/base/strbuf.h"
#include "harness/query/metric.h"
#include "harness/store/store.h"

/* What a results file says: the swap threshold of each guest, and each metric's Y against it. */

struct report;

/**
 * Reads and computes everything about the current cells; the metrics are borrowed for the life of the report.
 * margin_pct NAN: that of the plan.
 */
struct err *report_build(struct store *store, const struct metric *metrics, size_t metrics_n,
			 double margin_pct, struct report **ret) must_check;

/**
 * Adds what workloads cost beside Y, from the store the report was built from. Nobody's verdict hangs on it,
 * and it takes as long as all else.
 */
struct err *report_add_costs(struct report *r, struct store *store) must_check;

/** Predicts Z* of guests of these X by every curve. ERR_FAILED when there is none. */
struct err *report_predict(struct report *r, const unsigned *x_mib, size_t n) must_check;

void report_destroy(struct report *r);
DEFINE_CLEANUP(cleanup_report, struct report *, report_destroy)

/** The report in one form, appended to out. The CSV has rows only. */
void report_text(const struct report *r, struct strbuf *out);
void report_csv(const struct report *r, struct strbuf *out);
void report_json(const struct report *r, struct strbuf *out);
