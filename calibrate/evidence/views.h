/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/base/cleanup.h"

/*
 * The tables that metrics ask, made of raw evidence: kernel text and page runs go in, rows of numbers come
 * out. Everything that goes in may be damaged or hostile. What a row means is in swapcal-metrics(7); sizes
 * are KiB unless the column's name says otherwise. A column is NULL where the kernel has no such number.
 *
 *   snapshot  one row: snapshot_id, probe_id, name, is_incomplete
 *   process   one row a process: what status says, and the fields of smaps summed over its mappings (from
 *             smaps_rollup where the kernel has it, which rounds once instead of once a mapping)
 *   mapping   one row a mapping of smaps, with its kind
 *   unknown   snapshot_id, pid, n, key, value: fields of smaps and status that have no column here; n is the
 *             mapping's number, NULL for status and smaps_rollup
 *   pages     physical pages of all processes together, each counted once, summed by sort; see views-pages.c
 *   guest     snapshot_id, key, value: each number of the guest's files
 *   baseline  the same, of the probe's baseline: before the load
 */
enum view {
	VIEW_SNAPSHOT,
	VIEW_PROCESS,
	VIEW_MAPPING,
	VIEW_UNKNOWN,
	VIEW_PAGES,
	VIEW_GUEST,
	VIEW_BASELINE,
	VIEW_COUNT,
};

#define VIEW_BIT(view) (1u << (view))
#define VIEWS_ALL      (VIEW_BIT(VIEW_COUNT) - 1)

/** The value of a cell that is not known. */
#define VIEW_NULL INT64_MIN

/** Columns by number. Those that fields of the kernel's text have follow the ones named here. */
enum { SNAPSHOT_ID, SNAPSHOT_PROBE_ID, SNAPSHOT_NAME, SNAPSHOT_IS_INCOMPLETE };
enum { PROCESS_ID, PROCESS_PID, PROCESS_NAME, PROCESS_FIELDS };
enum {
	MAPPING_ID,
	MAPPING_PID,
	MAPPING_N,
	MAPPING_START,
	MAPPING_END,
	MAPPING_PERMS,
	MAPPING_OFFSET,
	MAPPING_INODE,
	MAPPING_PATH,
	MAPPING_DEV,
	MAPPING_KIND,
	MAPPING_VM_FLAGS,
	MAPPING_FIELDS,
};
enum { UNKNOWN_ID, UNKNOWN_PID, UNKNOWN_N, UNKNOWN_KEY, UNKNOWN_VALUE };
enum {
	PAGES_ID,
	PAGES_STATE,
	PAGES_BACKING,
	PAGES_IS_DIRTY,
	PAGES_IS_LAZYFREE,
	PAGES_IS_KSM,
	PAGES_IS_HUGE,
	PAGES_IS_MLOCKED,
	PAGES_IS_SHARED_OUTSIDE,
	PAGES_MAPPERS,
	PAGES_KIB,
	PAGES_MAPPED_KIB,
};
enum { GUEST_ID, GUEST_KEY, GUEST_VALUE };

struct view_column {
	const char *name;
	bool is_text; /**< the cell is an address of a NUL-terminated string, or VIEW_NULL */
};

/** Name and columns of a view; the first column is always snapshot_id, by which the rows are sorted. */
const char *view_name(enum view view);
const struct view_column *view_columns(enum view view, size_t *ret_n);

/** The number of a column, -1 when there is none of that name. */
int view_column_find(enum view view, const char *name);

struct views;

/** Views with no rows. Only those of the set (VIEW_BIT()s) are filled; the others stay empty. */
struct views *views_create(unsigned set);
void views_destroy(struct views *v);
DEFINE_CLEANUP(cleanup_views, struct views *, views_destroy)

/** Begins the next snapshot; ids increase. */
void views_begin(struct views *v, int64_t snapshot_id, int64_t probe_id, const char *name);

/**
 * Is a piece of evidence of that name of any use for the set? (Others need not be decompressed.) pid 0 is the
 * guest.
 */
bool views_want(const struct views *v, unsigned pid, const char *name);
bool views_want_baseline(const struct views *v, const char *name);

/**
 * Name of a piece that is a later smaps of the same process, with what it used of its file pages since their
 * reference bits were cleared: what it says of these is taken for Referenced of the snapshot.
 */
#define VIEWS_USED "used"

/** Adds a piece of evidence to the snapshot under way. Pieces of a process come one after the other. */
void views_add(struct views *v, unsigned pid, const char *name, const char *data, size_t len);

/** A piece of the guest's files of the probe's baseline. */
void views_add_baseline(struct views *v, const char *name, const char *data, size_t len);

/**
 * A piece of a process that could not be read makes the snapshot incomplete. Two do not: a smaps_rollup
 * beside a whole smaps, which says the same, and a pagemap, without which there are no rows of pages at all.
 */
void views_add_failed(struct views *v, unsigned pid, const char *name);

/** Ends the snapshot: computes what needs all its pieces. */
void views_end(struct views *v);

/**
 * Adds a row to a view of the snapshot under way and returns its cells, all VIEW_NULL but the snapshot_id.
 * They are valid until the next row is added. For numbers that come from a model and not from a kernel.
 */
int64_t *views_add_row(struct views *v, enum view view);

/** A copy of a text that lives as long as the views, as a cell. Equal texts are kept once. */
int64_t views_text(struct views *v, const char *text, size_t len);

/**
 * The cell of a text, VIEW_NULL when the views have no such text. Equal texts have equal cells, so cells can
 * be compared instead of texts.
 */
int64_t views_text_find(const struct views *v, const char *text, size_t len);

size_t views_rows(const struct views *v, enum view view);

/** The cells of one row. */
const int64_t *views_row(const struct views *v, enum view view, size_t row);

/**
 * Rows [*ret_first, *ret_end) are those of the snapshot; false when there are none. Rows are sorted by
 * snapshot, so this is a binary search.
 */
bool views_range(const struct views *v, enum view view, int64_t snapshot_id, size_t *ret_first,
		 size_t *ret_end);
