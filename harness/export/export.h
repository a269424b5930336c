/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/strbuf.h"
#include "harness/cell/cell.h"
#include "harness/store/store.h"

/*
 * The raw data of a results file, for programs of other people: the series of samples, and the evidence byte
 * for byte as the guest sent it. The file may be someone else's: no name in it is believed.
 */

/** What there is. */
struct export
{
	struct cell *cells;
	size_t cells_n;
	struct probe_record *probes; /**< by id; without samples and snapshots */
	size_t probes_n;
	struct store_piece *pieces; /**< by probe, snapshot, and the order they came in */
	size_t pieces_n;
};

/** Reads what there is. The store outlives it. */
struct err *export_open(struct store *store, struct export **ret) must_check;
void export_close(struct export *x);
DEFINE_CLEANUP(cleanup_export, struct export *, export_close)

/** The table of pieces, as text (of one probe, or with 0 of all), CSV or JSON. */
void export_list_text(const struct export *x, int64_t probe_id, struct strbuf *out);
void export_list_csv(const struct export *x, struct strbuf *out);
void export_list_json(const struct export *x, struct strbuf *out);

/** The piece "SNAPSHOT/PID/NAME", as the table names it; an error of kind ERR_USAGE when there is none. */
struct err *export_find(const struct export *x, const char *piece, const struct store_piece **ret) must_check;

/** The probe of that id, or NULL. */
const struct probe_record *export_find_probe(const struct export *x, int64_t probe_id);

/**
 * All about one probe: outcome, times, console, output, post-mortem, its pieces. ERR_USAGE when there is
 * none.
 */
struct err *export_probe_text(struct store *store, const struct export *x, int64_t probe_id,
			      struct strbuf *out) must_check;

/** The columns of export_series_csv(), as a line. */
void export_series_header(struct strbuf *out);

/** The samples of a probe, a line each; nothing for a probe that has none. */
struct err *export_series_csv(struct store *store, int64_t probe_id, struct strbuf *out) must_check;

/** The samples of a probe as a JSON object: probe, columns, rows (arrays of numbers, in that order). */
struct err *export_series_json(struct store *store, int64_t probe_id, struct strbuf *out) must_check;

/**
 * The page runs of a piece "pagemap" as CSV, a line each, with a header line. Numbers are as in struct
 * proto_page_run; address, entry and flags are hexadecimal.
 */
struct err *export_runs_csv(const char *data, size_t len, struct strbuf *out) must_check;

/**
 * Writes everything below dir, which must be empty or not there yet: index.csv (the table), and for each
 * probe probe-ID/series.csv, probe-ID/console.txt and output.txt unless empty, and
 * probe-ID/SNAPSHOT/guest/NAME, probe-ID/SNAPSHOT/pid-PID/NAME. A piece that could not be read in the guest
 * is a file NAME.error with the reason. In a name each byte but letters, digits, '.', '_' and '-' is '_', and
 * so is a '.' or '-' at its start; long names are cut.
 */
struct err *export_tree(struct store *store, const struct export *x, const char *dir) must_check;
