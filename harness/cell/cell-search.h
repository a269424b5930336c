/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "calibrate/stats/search.h"
#include "harness/cell/cell.h"
#include "harness/cell/record.h"

/*
 * The search that a cell of method threshold or ram is, and what its probes answer to it.
 */

/**
 * The search for a threshold cell's Z*; for a cell of method ram, for the guest: the search is over how much
 * less RAM than cell_ram_max_kib() the guest has, so that it swaps above the threshold.
 */
struct search_params cell_search_params(const struct cell *cell);

/** From the RAM of a guest of a ram cell to what the search calls z, and back. */
uint64_t cell_ram_max_kib(const struct cell *cell);

/** Stands for all replicates together. */
#define CELL_EVERY_REPLICATE UINT_MAX

/**
 * The answers to the search of one replicate of a cell of method threshold or ram, or of every replicate,
 * among its n probes; freed with free(). Probes that are no answers are left out.
 */
struct search_probe *cell_search_probes(const struct cell *cell, unsigned replicate,
					const struct probe_record *probes, size_t n, size_t *ret_n);

/** What these answers say; of every replicate together only the estimate makes sense. */
struct search_next cell_search(const struct cell *cell, unsigned replicate, const struct probe_record *probes,
			       size_t n);
