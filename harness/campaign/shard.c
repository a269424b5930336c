/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/campaign/shard.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/campaign/campaign.h"
#include "harness/cell/probe-time.h"

/** A number from 1 to SHARDS_MAX in digits alone, and what follows it; 0 for anything else. */
static unsigned parse_number(const char *text, const char **ret_end)
{
	size_t digits = strspn(text, "0123456789");

	*ret_end = text + digits;
	if (digits == 0 || digits > 5)
		return 0;

	unsigned long number = strtoul(text, NULL, 10);

	return number <= SHARDS_MAX ? (unsigned)number : 0;
}

struct err *shard_parse(const char *text, struct shard *ret)
{
	const char *slash, *end = text;
	unsigned k = parse_number(text, &slash);
	unsigned n = *slash == '/' ? parse_number(slash + 1, &end) : 0;

	if (k == 0 || n == 0 || k > n || *end)
		return err_new_kind(
			ERR_USAGE,
			"--shard: '%s' is not K/N with K from 1 to N and N at most %d, such as 2/8", text,
			SHARDS_MAX);
	*ret = (struct shard){ k, n };
	return NULL;
}

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

		/* A cell of no expected time is a cell all the same. */
		load_ms[shard] += items[i].ms + 1;
		ret[items[i].position] = shard;
	}
}

/** Whole milliseconds: sums of them are the same on every machine, in whatever order. */
static uint64_t expected_ms(const struct cell *cell)
{
	unsigned probes = campaign_cell_state(cell, NULL, 0, 0, NULL).probes_left;

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
