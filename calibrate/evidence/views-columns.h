/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "calibrate/evidence/text.h"

/* Columns by number. Those that fields of the kernel's text have follow the ones named here. */
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

/** More columns than any view has. */
#define COLUMNS_MAX 64

/** How the kernel calls what is in a column. */
struct field {
	const char *key;
	size_t key_len;
	const char *column;
	bool has_kib; /**< "kB" follows the number */
};

/** The fields of one kind of text, in the order in which the kernel writes them. */
struct field_table {
	const struct field *fields;
	size_t n;
	int first_column; /**< the column of fields[0]; the others follow */
};

extern const struct field_table smaps_field_table;  /**< columns of mapping */
extern const struct field_table rollup_field_table; /**< columns of process */
extern const struct field_table status_field_table; /**< columns of process */

/**
 * The number of the field, -1 when there is none. *next is where it is expected: 0 first, then what the last
 * call left there.
 */
int field_find(const struct field_table *t, size_t *next, struct text_span key, bool has_kib);
