/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "harness/base/strbuf.h"
#include "harness/report/report-parts.h"

/*
 * Does one metric predict swapping? Z is what swapping says: Z* where a load grew until the guest swapped,
 * its weight Zeq where it was displaced. The ballast's own cells are no part of it: Z* is made of them.
 *
 * Over the workloads the verdict is that of the agreement (calibrate/stats/agreement.h): `validated` when 95
 * % of the errors that cells like these would show lie within the margin, and `rejected` when a limit of
 * these lies beyond it, each at 95 % confidence; else `undecided`. Two things reject a metric whatever its
 * agreement: a known-answer load in whose cell Y lies outside of Z's interval, widened by the margin, for
 * such a load is a counterexample and no sample; and a cell where it has no value. Where known-answer loads
 * are all there is, their cells decide alone.
 */

struct validate_cell {
	const struct report_row *row;  /**< of the metric on trial */
	const struct report_row *best; /**< of the best shipped metric; NULL when there is none */
	enum validate_state {
		VALIDATE_WITHIN,
		VALIDATE_OFF,
		VALIDATE_NO_VALUE, /**< it says nothing where the others are asked */
	} state;
	bool is_known; /**< a known-answer load */
	/** distance from the interval of Z, percent of the guest's Z*; infinite without either */
	double distance_pct;
};

struct validation {
	const struct metric *metric, *best;
	double margin_pct;
	struct validate_cell *cells; /**< those with a Z, worst first */
	size_t cells_n;
	size_t within, off, no_value;
	size_t known, known_off; /**< cells with known answers, and those where it is off */
	size_t best_within;      /**< cells in which the best shipped metric is */
	bool has_agreement;
	struct report_agreement agreement; /**< over the workloads, when there are some */
	enum agreement_verdict verdict;
};

/**
 * Judges the last metric of a report by it, and with its margin; the report outlives the result. The other
 * metrics are candidates for the best.
 */
void validate_judge(const struct report *r, struct validation *ret);
void validation_deinit(struct validation *v);

/** The verdict with its table, appended to out. */
void validate_text(const struct report *r, const struct validation *v, struct strbuf *out);
void validate_json(const struct report *r, const struct validation *v, struct strbuf *out);
