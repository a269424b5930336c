/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "harness/cell/cell.h"
#include "harness/cell/record.h"
#include "harness/cell/shard-spec.h"

/*
 * One of N shards of a plan, for N machines. Each computes all shards by itself, from the plan alone, and
 * they agree: what differs between machines (images, accelerator, speed) has no part in it.
 */

/**
 * The shard, from 0, of each of n_cells cells whose probes are expected to take so many milliseconds. Cells
 * are dealt out from the longest to the shortest, each to the shard with the least to do, or to the first of
 * several such shards. So the longest shard exceeds the shortest by one cell at most.
 */
void shard_assign(const uint64_t *ms, size_t n_cells, unsigned n_shards, unsigned *ret);

/**
 * Leaves those of a plan's n cells that belong to the shard, in their order, frees the others, and returns
 * how many are left.
 */
size_t shard_select(const struct shard *shard, struct cell *cells, size_t n);
