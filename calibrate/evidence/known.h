/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "calibrate/evidence/views.h"

/*
 * Known-answer loads: programs that hold memory of one kind, so that what every metric must say of them, and
 * what the guest must lose, follows from their size alone. guest/loads/known.c makes them.
 */
enum known_kind {
	KNOWN_PRIVATE_DIRTY, /**< anonymous private memory, written */
	KNOWN_ZERO_READ,     /**< anonymous private memory, read only: the page of zeros, again and again */
	KNOWN_FILE_CLEAN,    /**< a file mapped and read */
	KNOWN_FILE_DIRTY,    /**< a file mapped MAP_SHARED and written */
	KNOWN_SHMEM,         /**< shared anonymous memory, mapped and written */
	KNOWN_TMPFS,         /**< a file in memory, written and not mapped */
	KNOWN_FORKED_COW, /**< children share memory of a parent that let go of it; each has changed a part */
	KNOWN_LAZYFREE,   /**< written, then given back with MADV_FREE */
	KNOWN_MLOCKED,    /**< written and locked in RAM */
	KNOWN_THP_HOLES,  /**< huge pages, of each of which a part was given back */
	KNOWN_PAGE_TABLES, /**< one page written in each 2 MiB: as much page table as memory */
	KNOWN_COUNT,
};

/** A known-answer load. kib is its size; what it holds depends on the kind. */
struct known_spec {
	enum known_kind kind;
	uint64_t kib;       /**< a multiple of 2048 */
	unsigned children;  /**< of KNOWN_FORKED_COW, else 0 */
	unsigned dirty_pct; /**< of KNOWN_FORKED_COW: the part of the memory each child changes */
};

/** "private-dirty", ... */
const char *known_kind_name(enum known_kind kind);
bool known_kind_parse(const char *name, enum known_kind *ret);

/** One line on what the kind shows. */
const char *known_kind_summary(enum known_kind kind);

/** Does it need a file system on a disk? */
bool known_kind_needs_disk(enum known_kind kind);

/**
 * What the guest must lose of its swap threshold: all that the kernel can only keep in RAM or swap out. It
 * can drop clean file pages, write dirty ones back, and take lazily freed pages.
 */
uint64_t known_weight_kib(const struct known_spec *spec);

/**
 * Adds the snapshot that an ideal kernel would give of the load: rows of every view, so that a metric run
 * over them says what it must say. What a metric reads that does not follow from the size is NULL.
 */
void known_add_ideal(struct views *v, int64_t snapshot_id, const struct known_spec *spec);
