/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/campaign/shard.h"

#include <stdlib.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/campaign/schedule.h"
#include "harness/cell/cell.h"
#include "harness/cell/probe-time.h"

struct item {
	uint64_t ms;
	size_t position;
};

static int longest_first(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->ms != y->ms)
		return x->ms < y->ms ? 1 : -1;
	return x->position < y->position ? -1 : 1;
}

static unsigned least_loaded(const uint64_t *load_ms, unsigned n)
{
	unsigned least = 0;

	for (unsigned i = 1; i < n; i++)
		if (load_ms[i] < load_ms[least])
			least = i;
	return least;
}

void shard_assign(const uint64_t *ms, size_t n_cells, unsigned n_shards, unsigned *ret)
{
	cleanup_free struct item *items = xcalloc(n_cells + 1, sizeof(*items));
	cleanup_free uint64_t *load_ms = xcalloc(n_shards, sizeof(*load_ms));

	for (size_t i = 0; i < n_cells; i++)
		items[i] = (struct item){ ms[i], i };
	qsort(items, n_cells, sizeof(*items), longest_first);
	for (size_t i = 0; i < n_cells; i++) {
		unsigned shard = least_loaded(load_ms, n_shards);

		/* A cell counts even when its expected time is 0. */
		load_ms[shard] += items[i].ms + 1;
		ret[items[i].position] = shard;
	}
}

/** In whole milliseconds: their sum is the same on every machine and in any order. */
static uint64_t expected_ms(const struct cell *cell)
{
	unsigned probes = schedule_cell_state(cell, NULL, 0, 0, NULL).probes_left;

	return (uint64_t)(probes * probe_time_typical_s(cell) * 1000);
}

size_t shard_select(const struct shard *shard, struct cell *cells, size_t n)
{
	cleanup_free uint64_t *ms = xcalloc(n + 1, sizeof(*ms));
	cleanup_free unsigned *share = xcalloc(n + 1, sizeof(*share));
	size_t left = 0;

	if (shard->n == 0)
		return n;
	for (size_t i = 0; i < n; i++)
		ms[i] = expected_ms(&cells[i]);
	shard_assign(ms, n, shard->n, share);
	for (size_t i = 0; i < n; i++) {
		if (share[i] == shard->k - 1)
			cells[left++] = cells[i];
		else
			cell_deinit(&cells[i]);
	}
	return left;
}
