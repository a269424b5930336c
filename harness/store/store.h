/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "calibrate/evidence/views.h"
#include "harness/base/err.h"
#include "harness/base/strbuf.h"
#include "harness/cell/cell.h"
#include "harness/cell/record.h"

/*
 * The results file: SQLite, one writer, any number of readers beside it. A probe is durable once
 * store_put_probe() returns. Only store*.c and query*.c include <sqlite3.h>. A store is used by one thread at
 * a time. What is read is checked, since the file may come from someone else.
 */

/** Version of the schema; a file of another version is refused with a clear error. */
#define STORE_SCHEMA_VERSION 1

struct store;

enum store_mode {
	STORE_WRITE, /**< created when missing, mode 0600; locked against a second writer, whose error names
			the owner's pid */
	STORE_READ,  /**< must exist; read as of one moment; never changed, not even by a journal */
};

/**
 * Opens a results file. A file of another kind, of another schema version, cut short or damaged gets an error
 * that says so and what to do; it is never written to. A writer makes PATH-lock, PATH-wal and PATH-shm for as
 * long as it lives.
 */
struct err *store_open(const char *path, enum store_mode mode, struct store **ret) must_check;

/** Closes; a writer leaves the one file alone that holds everything. NULL is allowed. */
void store_close(struct store *store);
DEFINE_CLEANUP(cleanup_store, struct store *, store_close)

/** The path as store_open() got it. Borrowed. */
const char *store_name(const struct store *store);

/**
 * What tells this file from all others, 32 hex digits at random, got when it is first written to; "" when it
 * is open for reading. A copy has the same. Borrowed.
 */
const char *store_id(const struct store *store);

/** Does a writer have this file open just now? Sets *ret_pid to its process id, 0 when that is unknown. */
bool store_has_writer(const struct store *store, long *ret_pid);

/** Where a writer tells what runs just now (see status.h); removed when it closes. Borrowed. */
const char *store_live_path(const struct store *store);

/**
 * Facts about one execution of `swapcal run`: audit (host, versions, image manifest, arguments) and the
 * plan's name and text.
 */
struct err *store_begin_run(struct store *store, const json_t *audit, const char *plan_name,
			    const char *plan_text, int64_t *ret_run_id) must_check;

/** Records the end of a run. status: "done", "interrupted", "failed", "out of time". */
struct err *store_end_run(struct store *store, int64_t run_id, const char *status) must_check;

/** Adds a cell to the current ones, or updates all but the key of the one with that key. */
struct err *store_put_cell(struct store *store, const struct cell *cell) must_check;

/** How a plan's cells change those of a results file. */
struct store_change {
	size_t kept;    /**< cells of the plan that the file had already, current or not */
	size_t dropped; /**< cells that were current and are not any more */
};

/** Makes these the current cells, those of the plan now running, in one transaction; others stay in the file.
 */
struct err *store_set_cells(struct store *store, const struct cell *cells, size_t n,
			    struct store_change *ret) must_check;

/** The current cells by position: an array of *ret_n, freed with store_cells_free(). */
struct err *store_cells(struct store *store, struct cell **ret, size_t *ret_n) must_check;
void store_cells_free(struct cell *cells, size_t n);

/** Writes a probe with its series and evidence (zstd) in one transaction; sets r->id. */
struct err *store_put_probe(struct store *store, int64_t run_id, struct probe_record *r) must_check;

/**
 * Probes of a cell (all cells when cell_key is NULL) in the order they were made, without samples and
 * snapshots.
 */
struct err *store_probes(struct store *store, const char *cell_key, struct probe_record **ret,
			 size_t *ret_n) must_check;
void store_probes_free(struct probe_record *probes, size_t n);

/**
 * The sampled series of a probe, freed with free(). Columns are found by name: one this version does not know
 * is dropped, one the file lacks is 0. *ret_n is 0 when the probe has no series.
 */
struct err *store_samples(struct store *store, int64_t probe_id, struct proto_sample **ret,
			  size_t *ret_n) must_check;

/**
 * The audit, plan name, plan text and status of the latest run; new references / strings for the caller. All
 * NULL when there was no run. status is what store_end_run() got; before that "running", or "died" when no
 * writer is there to go on.
 */
struct err *store_last_run(struct store *store, json_t **ret_audit, char **ret_plan_name,
			   char **ret_plan_text, char **ret_status) must_check;

/** Which snapshots are asked for. */
enum store_moment {
	/**
	 * What metrics judge, one of each probe that has it: "load" of a displacement or ram probe (the load
	 * alone, before a ballast came), "onset" of any other. A population probe has the last "count-N",
	 * with all processes at their size, besides.
	 */
	STORE_JUDGED,
	STORE_ONSET, /**< "onset" of probes that are judged before: load, and ballast beside it */
	/**
	 * "build-N" and "count-N" (a workload at the checkpoints on its way), and the "load" of a probe that
	 * has such, in the order they were taken
	 */
	STORE_CHECKPOINTS,
};

/** The evidence of these snapshots as views of the set (VIEW_BIT()s). Freed with views_destroy(). */
struct err *store_views(struct store *store, enum store_moment moment, unsigned set,
			struct views **ret) must_check;

/** One piece of evidence, without its content. */
struct store_piece {
	int64_t id; /**< for store_read_piece() */
	int64_t probe_id, snapshot_id;
	char *snapshot; /**< name */
	unsigned pid;   /**< 0: the guest */
	char *name;
	uint64_t len;
	char *error; /**< why it could not be read in the guest; NULL when it could */
};

/** All pieces by probe, snapshot, and the order they came in; freed with store_pieces_free(). */
struct err *store_pieces(struct store *store, struct store_piece **ret, size_t *ret_n) must_check;
void store_pieces_free(struct store_piece *pieces, size_t n);

/**
 * Appends the content of a piece, byte for byte as the guest sent it, to sb. A piece that could not be read
 * in the guest has none, which is an error.
 */
struct err *store_read_piece(struct store *store, const struct store_piece *piece,
			     struct strbuf *sb) must_check;

/** A piece with its content, which lives until the function returns. */
struct store_content {
	int64_t probe_id, snapshot_id;
	const char *snapshot; /**< name */
	unsigned pid;         /**< 0: the guest */
	const char *name;
	const char *data;
	size_t len;
};

typedef void store_content_fn(void *arg, const struct store_content *content);

/**
 * Calls f for each piece that has one of these names (NULL at the end) and could be read in the guest, by
 * snapshot and process, and in the order they came. Only probes of loads count: a ballast has
 * few secrets, and its probes may be many.
 */
struct err *store_each_content(struct store *store, enum store_moment moment, const char *const *names,
			       store_content_fn *f, void *arg) must_check;
