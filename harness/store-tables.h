/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_STORE_TABLES_H
#define SWAPCAL_STORE_TABLES_H

#include "calibrate/text.h"
#include "harness/store-db.h"

/*
 * The temporary tables that metrics ask, and how the kernel's names map to their columns. For store*.c alone.
 */

/** Statements that fill the tables. Columns that are not bound become NULL. */
struct store_tables {
	/** snapshot_id, pid, n, start, end, perms, offset, inode, path, then fields */
	sqlite3_stmt *mapping;
	/** snapshot_id, pid, then fields; adds to what is known of the process */
	sqlite3_stmt *process;
	/** snapshot_id, key, value */
	sqlite3_stmt *guest;
	/** snapshot_id: some of its evidence could not be read */
	sqlite3_stmt *incomplete;
};

/** Makes the tables, empty, in place of those of an earlier call. */
struct err *store_tables_create(struct store *store) must_check;

/** Prepares the statements; store_tables_deinit() is due even after a failure. */
struct err *store_tables_prepare(struct store *store, struct store_tables *t) must_check;
void store_tables_deinit(struct store_tables *t);

/** Binds a number to the column of that field of smaps; unknown fields are passed over. */
void store_tables_bind_mapping(struct store_tables *t, struct text_span key, uint64_t value);

/** The same for a field of status or smaps_rollup. */
void store_tables_bind_process(struct store_tables *t, struct text_span key, uint64_t value);

#endif
