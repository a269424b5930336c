/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_CALIBRATE_VIEWS_INTERNAL_H
#define SWAPCAL_CALIBRATE_VIEWS_INTERNAL_H

#include "calibrate/evidence/views-columns.h"
#include "calibrate/evidence/views-kind.h"
#include "calibrate/evidence/views-texts.h"
#include "calibrate/evidence/views.h"

/* For views*.c alone. */

/** Rows of one view, one after the other. */
struct view_table {
	int64_t *cells;
	size_t columns, rows, cap; /**< cap in rows */
	size_t first;              /**< row of the snapshot under way */
};

/** The process whose pieces come just now. */
struct process_state {
	bool is_open;
	unsigned pid;
	bool has_row;     /**< the last row of process is its */
	bool has_any;     /**< something of it could be read */
	bool has_smaps;   /**< all of it could be read */
	bool has_pagemap; /**< and it was good */
	bool has_no_memory;
	bool is_rollup_failed;
	int64_t mappings;          /**< so far */
	int64_t sums[COLUMNS_MAX]; /**< of smaps, by column of process */
};

struct pages;
struct mounts;

struct views {
	unsigned set;
	struct view_table tables[VIEW_COUNT];
	struct texts texts;
	int64_t scratch[COLUMNS_MAX]; /**< the row of a view that is not asked for */

	bool is_begun;
	int64_t snapshot_id;
	struct process_state process;
	struct mounts *mounts;
	struct pages *pages;

	int64_t kinds[MAPPING_KIND_COUNT]; /**< texts */
	int sum_columns[COLUMNS_MAX];      /**< of process, by field of smaps; -1: none */
};

static inline bool views_has(const struct views *v, unsigned set)
{
	return v->set & set;
}

/** Is the name among those of n strings? */
bool views_is_one_of(const char *name, const char *const *names, size_t n);

/** A number as a cell: none is negative or taken for NULL. */
static inline int64_t views_number(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

void views_set_incomplete(struct views *v);

/* views-process.c */

/** The process's row; that of the scratch when process is not asked for. */
int64_t *views_process_row(struct views *v);

/** Each returns whether the piece was whole. */
bool views_add_smaps(struct views *v, const char *data, size_t len);
bool views_add_rollup(struct views *v, const char *data, size_t len);
bool views_add_status(struct views *v, const char *data, size_t len);

/** What smaps says goes where smaps_rollup said nothing. */
void views_fold_sums(struct views *v);

/** Sets the kinds of the mappings of the snapshot under way. */
void views_set_kinds(struct views *v);

/* views-guest.c */

bool views_is_guest_file(const char *name);

/** Adds the numbers of a guest's file to guest or baseline. */
void views_add_guest(struct views *v, enum view view, const char *name, const char *data, size_t len);

/* views-mounts.c */

struct mounts *mounts_create(void);
void mounts_destroy(struct mounts *m);

/** Forgets what it knows. */
void mounts_clear(struct mounts *m);

/** Takes in the text of /proc/PID/mountinfo. */
void mounts_add(struct mounts *m, const char *data, size_t len);

/** Is the device, as smaps writes it, a tmpfs? */
bool mounts_is_tmpfs(struct mounts *m, const char *dev);

/* views-pages.c */

struct pages *pages_create(void);
void pages_destroy(struct pages *p);

/** Begins a snapshot. */
void pages_begin(struct pages *p);

/** Adds the page runs of one process; false when they are bad, which spoils the snapshot. */
bool pages_add(struct pages *p, const char *data, size_t len);

/** A process of which there are no page runs spoils the snapshot too. */
void pages_set_missing(struct pages *p);

/** Adds the rows of the snapshot to v, none when it is spoilt. */
void pages_end(struct pages *p, struct views *v);

#endif
