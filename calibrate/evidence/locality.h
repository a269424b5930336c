/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Static memory: how much of a program's binary a process has touched, how much of that it has written, and
 * how scattered that is. The binary is the file whose text is the largest that the process maps: the
 * interpreter, or the library that most of it is in.
 *
 * "Touched" is what the page table has (Rss and Swap): pages that were read, and beside each those of its
 * 64 KiB that were in the page cache already, which the kernel maps unasked (fault-around). So it is an upper
 * bound of what was used; a page of each such block is a lower one. Neither the accessed bit (Referenced) nor
 * the lists of reclaim (active) tell better: fault-around sets the one on x86, and the other moves only when
 * memory is short. What is written is exact. Of what reclaim has taken nothing is left to see.
 */
enum locality_part_name { LOCALITY_TEXT, LOCALITY_RODATA, LOCALITY_DATA, LOCALITY_PARTS };

/** "text" (mappings r-x), "rodata" (r--, with what is relocated and then protected), "data" (rw-). */
const char *locality_part_name(enum locality_part_name part);

/** NAN where it is not known: the last five without page runs. */
struct locality_part {
	double mapped_kib, touched_kib;
	double dirtied_kib;    /**< pages that are the process's own since it wrote to them, in RAM or swap */
	double referenced_kib; /**< of those in RAM, by smaps */
	double active_kib;     /**< of those in RAM, by kpageflags */
	double runs;           /**< touched pages with no gap of addresses between them */
	double run_pages;      /**< the mean length of a run */
	double blocks;         /**< aligned blocks of 64 KiB with a touched page */
	double least_kib;      /**< what was used for sure: a page of each block, or all that was written */
};

struct locality {
	char file[64]; /**< the binary's name without its directories, cut when longer */
	struct locality_part parts[LOCALITY_PARTS];
};

/**
 * Of one process, from its smaps and its page runs (struct proto_page_run; NULL: not known). False when it
 * maps no text of a file, or its smaps is not in order. Both may be damaged or hostile.
 */
bool locality_read(const char *smaps, size_t smaps_len, const char *runs, size_t runs_len,
		   struct locality *ret);

/** The mean over processes, each part over those that know it; the file is that of the first. */
struct locality locality_mean(const struct locality *all, size_t n);

/** All parts together: sums, and the mean length of a run. */
struct locality_part locality_sum(const struct locality *l);
