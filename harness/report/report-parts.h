/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "calibrate/evidence/checkpoints.h"
#include "calibrate/evidence/footprint.h"
#include "calibrate/evidence/locality.h"
#include "calibrate/evidence/reclaim.h"
#include "calibrate/evidence/weight.h"
#include "calibrate/stats/agreement.h"
#include "calibrate/stats/curve.h"
#include "calibrate/stats/quantal.h"
#include "harness/base/err.h"
#include "harness/base/format.h"
#include "harness/base/strbuf.h"
#include "harness/cell/cell.h"
#include "harness/cell/record.h"
#include "harness/query/metric.h"
#include "harness/query/query.h"
#include "harness/report/report.h"
#include "harness/store/store.h"

/*
 * What a report consists of, and what its parts do for each other: each computes its piece of struct report,
 * and writes it as text and as JSON. Values that are not known are NAN. Sizes are KiB here and MiB in what
 * people read.
 */

/** What is known of one replicate of a cell. */
struct report_replicate {
	unsigned probes, answers;
	struct search_next search; /**< of method threshold or ram, unless there are no probes */
};

/** The probes of a cell, which all parts share. */
struct report_probes {
	struct probe_record *v; /**< in the order they were made; without console, output and command line */
	size_t n;
	size_t first; /**< number of the first among all probes of the report */
	/**
	 * Of each probe: does it say something about Y? Of a threshold cell, the control, only the fixed ones
	 * do: a ramp asks for far more than it has written at onset, and its vsz would tell where the search
	 * ends, not the load. Of a ram cell that of the smallest guest of its replicate that did not swap.
	 */
	bool *has_y;
	struct weighing *weighings; /**< of each probe: of ramps, alone and beside a load */
	struct report_replicate *replicates;
	bool is_search;                  /**< its method is threshold or ram */
	struct search_estimate estimate; /**< from the answers to all searches together */
	bool is_beyond; /**< every guest swapped that a search for one asked: it is larger than the largest */
	double mem_total_kib,
		mem_available0_kib; /**< means over the probes that got far enough to report them */
};

/** Where a probe is. */
struct report_place {
	int64_t probe_id;
	size_t number; /**< among all probes of the report */
};

/** Seed of every bootstrap of a report: the same file gives the same report. */
#define REPORT_SEED 1

/** Of each bound of a verdict; together with the other side 90 %, as in a test for equivalence. */
#define REPORT_CONFIDENCE 0.95

/** Mean and range of n values. */
struct report_span {
	double mean_kib, lo_kib, hi_kib;
	unsigned n;
};

/** Z* of one guest, from the searches of its threshold cell. */
struct report_threshold {
	const struct cell *cell;
	double mem_total_kib, mem_available0_kib; /**< means over the cell's probes */
	double z_kib;                             /**< from all answers of all searches */
	double z_lo_kib, z_hi_kib; /**< 95 % interval of z_kib; without a z_kib, the one side of the bracket
				      that is known */
	unsigned n;                /**< searches with both sides of a bracket */
	struct search_estimate estimate; /**< all there is to z_kib, with bracket, spread, contradictions */
	struct threshold_check check;    /**< second opinions; only where there is a z_kib */
	struct report_span ramp;         /**< the ballast at onset of the searches' ramps */
	struct threshold_ramps ramps;    /**< and how much they differ */
	unsigned answers, lost;          /**< probes with and without an answer */
	char *flags;
};

/** A load that grows by more than this part of its weight while it is weighed is judged apart. */
#define REPORT_DRIFT_PCT 1.0

/** The books of a weight must close to this, see calibrate/evidence/weight.h. */
#define REPORT_CLOSED_KIB 1024.0

/** What the Y of a cell are compared with. */
struct report_z {
	double x_mib;               /**< of the guest; of method ram, which searches for it, what was found */
	double kib, lo_kib, hi_kib; /**< Z*, Zeq of a displacement cell, Z*(X*) of a ram cell */
	double resolution_kib;      /**< a Zeq below this is as good as nothing; 0 for Z* */
	/**
	 * Of a displacement what is taken off: by how much the load grew between the moment of Y and the
	 * onset; else NAN
	 */
	double drift_kib;
	struct weight_parts parts; /**< of a displacement what Zeq and drift should be; else NAN */
	const char *flags;         /**< borrowed */
};

/** One metric in one cell. */
struct report_row {
	const struct cell *cell;
	const struct report_threshold *threshold; /**< NULL when the file has none for this cell */
	const char *metric;
	double mem_total_kib, mem_available0_kib;
	/**
	 * Mean, smallest and largest of n values; of a population y_lo is the smallest with one process less,
	 * with which the guest did not swap yet
	 */
	double y_kib, y_lo_kib, y_hi_kib;
	double *values_kib; /**< these values, one a probe */
	unsigned n;
	struct report_z z;         /**< what Y is compared with */
	double diff_kib, diff_pct; /**< Y - z; percent of z */
	double expected_kib;       /**< what the metric must say of a known-answer load; else NAN */
	bool is_best;              /**< no metric of this cell is nearer to Z* */
	char *flags;               /**< comma separated names of doubts, "" when none */
};

/** Something that was asked for and has no value, or a probe that was lost on the way. */
struct report_gap {
	const struct cell *cell;
	int64_t probe_id; /**< 0 when it is no single probe */
	unsigned replicate;
	const char *what; /**< an outcome, or: not-started, unfinished, no-threshold, unstable */
	char *reason;
};

/** One metric over all workloads that have a Z, in percent of Z: see calibrate/stats/agreement.h. */
struct report_agreement {
	const char *metric;
	size_t index; /**< of the metric: two may have the same name */
	struct agreement agreement;
	/**
	 * The largest error that is likely, in percent: of its limits of agreement the one further from 0. Of
	 * a single load, for which there are no limits, its error. NAN without a value.
	 */
	double error_pct;
	size_t cells;    /**< in which it has a value */
	size_t no_value; /**< cells in which it has none */
};

/** Z* of a guest of some X, as a curve has it. */
struct report_prediction {
	unsigned x_mib;
	struct curve_prediction at;
	bool is_extrapolated; /**< outside of the X that were measured */
};

/** Z*(X) of guests that differ in X only, of which there are at least two. */
struct report_curve {
	const struct report_threshold **points; /**< smallest X first */
	size_t n;
	struct curve fit;
	struct report_prediction *predictions; /**< see report_predict() */
	size_t predictions_n;
};

/** Which way reclaim went in one cell, see report-reclaim.c. */
struct report_reclaim {
	const struct cell *cell;
	struct reclaim mean; /**< of n probes */
	unsigned n;
	bool is_other_way; /**< than with the ballast of its guest */
};

/** What one metric says of a workload beside its Y. */
struct report_over_time {
	struct footprint_values at_checkpoints; /**< means over n probes that have checkpoints on the way */
	double over_bare_kib;                   /**< Y less that of the workload "bare" */
};

/** What a workload costs over its life, see report-space-time.c: doubles, NAN where not known. */
struct report_costs {
	double max_kib, mean_kib;         /**< memory.current of the load, from start to the end of its way */
	double cpu_ms, wall_ms;           /**< in the guest, until then */
	double full_cpu_ms, full_wall_ms; /**< and until it was complete */
	struct gc_pauses gc[GC_KINDS];
};

struct report_space_time {
	const struct cell *cell;
	unsigned n;
	struct report_costs mean;         /**< of n probes; of gc[].max_us the longest of any */
	double zeq_over_bare_kib;         /**< Zeq less that of the workload "bare" */
	struct report_over_time *metrics; /**< of each metric of the report */
};

/** What of an interpreter's binary is touched in one cell, see report-locality.c. */
struct report_locality {
	const struct cell *cell;
	struct locality mean; /**< of n processes, of all probes */
	unsigned n;
	bool is_onset; /**< seen at onset, when reclaim had taken some of it; else at rest */
};

struct report {
	char *plan_name;              /**< of the latest run; "" when there was none */
	char *run_status;             /**< see store_last_run() */
	const struct metric *metrics; /**< borrowed */
	size_t metrics_n;
	struct cell *cells;
	size_t cells_n;
	struct report_probes *probes; /**< of each cell */
	struct report_place *places;  /**< of all probes, by id */
	size_t probes_n;
	struct report_threshold *thresholds;
	size_t thresholds_n;
	struct report_curve *curves; /**< in the order of their first thresholds */
	size_t curves_n;
	struct report_row *rows; /**< by cell, then metric */
	size_t rows_n;
	double margin_pct;                   /**< of the verdicts */
	struct report_agreement *agreements; /**< of each metric, best first; none when no workload has a Z */
	size_t agreements_n;
	double confidence; /**< of each bound of an agreement, so that all agreements hold together at 95 % */
	size_t *loads;     /**< of each cell: the number of the first cell with the same load */
	struct report_reclaim *reclaims; /**< of cells with probes that came to an onset */
	size_t reclaims_n;
	struct report_space_time *space_times; /**< of workloads */
	size_t space_times_n;
	struct report_locality *localities; /**< of workloads whose processes tell */
	size_t localities_n;
	struct report_gap *gaps;
	size_t gaps_n, gaps_cap;
};

/** Reads the probes of all cells, once, and what searches make of them. */
struct err *report_probes_read(struct store *store, struct report *r) must_check;
void report_probes_free(struct report *r);

/** The number of a probe among all of the report's; false when it is none of them. */
bool report_probe_number(const struct report *r, int64_t probe_id, size_t *ret);

/** Sets r->thresholds from the probes. */
void report_thresholds_compute(struct report *r);
void report_thresholds_text(const struct report *r, struct strbuf *out);
json_t *report_thresholds_json(const struct report *r);

/** The threshold of the cell's guest; NULL when the file has none. */
const struct report_threshold *report_find_threshold(const struct report *r, const struct cell *cell);

/** By how much the ballast grows between two looks at it, in KiB. */
double report_ramp_step_kib(const struct cell *cell);

/** What the Y of a cell are compared with; comes after the curves. */
struct report_z report_z_compute(const struct report *r, const struct cell *cell);

/** Sets r->rows from the probes, the thresholds and the curves, but for expected_kib. */
struct err *report_rows_build(struct store *store, struct report *r) must_check;
void report_rows_text(const struct report *r, struct strbuf *out);
json_t *report_rows_json(const struct report *r);

/** The rows of a cell, one a metric. */
struct report_row *report_rows_of(const struct report *r, const struct cell *cell);

/**
 * Is the row's Y compared with a Z that a load of unknown size came to: no ballast, no known answer, and none
 * that grew while it was weighed?
 */
bool report_is_compared(const struct report_row *row);

/** Did the load grow, or shrink, by too much while it was weighed? Z cannot be that of both moments. */
bool report_is_drifting(const struct report_z *z);

/** How far the books of the weight are from closing, in KiB; NAN where they are not known. */
double report_closure_kib(const struct report_z *z);

/** What weights are made of, and the error of the best metric. */
void report_weights_text(const struct report *r, struct strbuf *out);
json_t *report_weights_json(const struct report *r);

/** By how much loads weigh more when they are weighed otherwise than usual. */
void report_weighings_text(const struct report *r, struct strbuf *out);

/** Sets r->gaps from the probes. */
void report_gaps_find(struct report *r);
void report_gaps_text(const struct report *r, struct strbuf *out);
json_t *report_gaps_json(const struct report *r);

/**
 * Sets the curves from the thresholds. Those whose flags say that a search is open, or found no threshold,
 * take no part.
 */
void report_curves_compute(struct report *r);
void report_curves_free(struct report *r);
void report_curves_text(const struct report *r, struct strbuf *out);
json_t *report_curves_json(const struct report *r);

/** Sets the agreements from the rows. */
void report_agree(struct report *r);

/** What the ranking, its verdicts and its warnings say; nothing when there is none. */
void report_agreement_text(const struct report *r, struct strbuf *out);

/** Of an undecided one: what would decide it, without a line end. */
void report_undecided_text(const struct agreement *a, struct strbuf *out);

/** What is known without any shape of errors; nothing unless all are within the margin. */
void report_within_text(const struct agreement *a, struct strbuf *out);

/** One of them as JSON: a new reference. */
json_t *report_agreement_json(const struct report_agreement *a);
json_t *report_agreements_json(const struct report *r);

/**
 * How well a metric agrees with Z over all loads, its bounds at that confidence. A load counts once, with all
 * its cells.
 */
struct report_agreement report_judge(const struct report *r, size_t metric, double confidence);

/** The best metric and its verdict; null without any. */
json_t *report_picked_json(const struct report *r);

/** Sets expected_kib of every row of known-answer cells. */
struct err *report_known_expect(struct report *r) must_check;
bool report_has_known(const struct report *r);
void report_known_text(const struct report *r, struct strbuf *out);

/** Sets r->reclaims, and flags rows by it: comes after them. */
struct err *report_reclaim_build(struct store *store, struct report *r) must_check;
void report_reclaim_text(const struct report *r, struct strbuf *out);
json_t *report_reclaim_json(const struct report *r);

/** Sets r->space_times; comes after the rows. */
struct err *report_space_time_build(struct store *store, struct report *r) must_check;
void report_space_time_free(struct report *r);
void report_space_time_text(const struct report *r, struct strbuf *out);
json_t *report_space_time_json(const struct report *r);

/** The cell that is as this one but has the workload "bare"; NULL when there is none. */
const struct cell *report_find_bare(const struct report *r, const struct cell *cell);

/** Sets r->localities; comes after r->space_times. */
struct err *report_locality_build(struct store *store, struct report *r) must_check;
void report_locality_text(const struct report *r, struct strbuf *out);
json_t *report_locality_json(const struct report *r);

/*
 * --- Columns of tables for a person, by report-forms.c. All numbers have one decimal: a tenth of a MiB, or
 * of a percent, is finer than any Z* is known. "-" is what is not known.
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

/* --- Members of JSON objects that several parts of a report have. */

/** The short name of a cell: a new reference. */
json_t *members_cell_id(const struct cell *cell);

/** Sets "cell" to its short name, and with it what a reader picks cells by. */
void members_set_cell(json_t *object, const struct cell *cell);

/** KiB as MiB. */
void members_set_mib(json_t *object, const char *key, double kib);

/** What is counted. */
void members_set_count(json_t *object, const char *key, size_t n);

/** Sets "flags": "a,b" as ["a", "b"]. */
void members_set_flags(json_t *object, const char *flags);

/** An array of n objects, made by f of each number. */
json_t *members_array(const struct report *r, size_t n, json_t *(*f)(const struct report *r, size_t i));
