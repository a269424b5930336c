/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_VALIDATE_H
#define SWAPCAL_VALIDATE_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/base/strbuf.h"
#include "harness/report.h"

/*
 * Does one metric predict swapping? It does in a cell when its Y lies within the bracket of Z, widened by the
 * margin: z_lo - margin % to z_hi + margin %. Z is what swapping says: Z* where a load grew until the guest
 * swapped, its weight Z* - Z_fill where it was displaced. The ballast's own cells are no part of it: Z* is
 * made of them.
 */

struct validate_cell {
	const struct report_row *row;  /**< of the metric on trial */
	const struct report_row *best; /**< of the best shipped metric; NULL when there is none */
	enum validate_state {
		VALIDATE_WITHIN,
		VALIDATE_OFF,
		VALIDATE_NO_VALUE, /**< it says nothing where the others are asked */
	} state;
	/** distance from the bracket of Z, percent of the guest's Z*; infinite without a value */
	double distance_pct;
};

struct validation {
	const struct metric *metric, *best;
	double margin_pct;
	struct validate_cell *cells; /**< those with a Z, worst first */
	size_t cells_n;
	size_t within, off, no_value;
	size_t best_within; /**< cells in which the best shipped metric is */
	bool is_validated;  /**< within in every cell, and there is one */
};

/**
 * Judges metrics[metrics_n - 1] by a report over these metrics, which outlive the result as the report does.
 * The others are candidates for the best.
 */
void validate_judge(const struct report *r, const struct metric *metrics, size_t metrics_n, double margin_pct,
		    struct validation *ret);
void validation_deinit(struct validation *v);

/** The verdict with its table, appended to out. */
void validate_text(const struct report *r, const struct validation *v, struct strbuf *out);
void validate_json(const struct report *r, const struct validation *v, struct strbuf *out);

#endif
