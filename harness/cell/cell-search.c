/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cell/cell-search.h"

#include "harness/base/alloc.h"

/*
 * Z* is wanted within so much either way: half a MiB, which is what thresholds differ by from boot to boot in
 * small guests, and 0.2 % of RAM in larger ones, where finer differences have no use.
 */
#define PRECISION_MIN_KIB 512
#define PRECISION_OF_RAM  512

/* Enough for a share of wrong answers of one in ten; who needs more is told that the threshold is unstable.
 */
#define PROBES_MAX 40

/* Guests have whole MiB of RAM. */
#define RAM_STEP_KIB 1024

static uint64_t ram_precision_kib(const struct cell *cell)
{
	uint64_t steps = cell->x_hi_mib * 1024ull / RAM_STEP_KIB / PRECISION_OF_RAM;

	return (steps ? steps : 1) * RAM_STEP_KIB;
}

uint64_t cell_ram_max_kib(const struct cell *cell)
{
	/* The largest guest is asked too, and the search counts answers from its precision on only. */
	return (uint64_t)cell->x_hi_mib * 1024 + ram_precision_kib(cell);
}

static struct search_params ram_params(const struct cell *cell)
{
	uint64_t max_kib = cell_ram_max_kib(cell);

	return (struct search_params){
		.lo_kib = 0,
		.hi_kib = max_kib - (uint64_t)cell->x_lo_mib * 1024,
		.precision_kib = ram_precision_kib(cell),
		.max_probes = PROBES_MAX,
		.ramp_ratio = SEARCH_RAMP_RATIO,
	};
}

struct search_params cell_search_params(const struct cell *cell)
{
	uint64_t ram_kib = (uint64_t)cell->x_mib * 1024;
	uint64_t swap_kib = (uint64_t)cell->settings.swap_mib * 1024;
	uint64_t precision_kib = ram_kib / PRECISION_OF_RAM / 4 * 4;

	if (cell_is(cell, METHOD_RAM))
		return ram_params(cell);

	if (precision_kib < PRECISION_MIN_KIB)
		precision_kib = PRECISION_MIN_KIB;
	/* A ballast of all RAM and half the swap swaps in any guest, and leaves it room to live on. */
	return (struct search_params){
		.lo_kib = 0,
		.hi_kib = (ram_kib + swap_kib / 2) / precision_kib * precision_kib,
		.precision_kib = precision_kib,
		.max_probes = PROBES_MAX,
		.ramp_ratio = SEARCH_RAMP_RATIO,
	};
}

/** What a probe answers to a search for Z*; false when it is no such answer. */
static bool threshold_answer(const struct probe_record *r, struct search_probe *ret)
{
	*ret = (struct search_probe){
		.is_ramp = r->kind == PROBE_RAMP,
		.z_kib = r->kind == PROBE_RAMP ? r->load_pages * 4 : r->z_kib,
		.swapped = r->outcome == OUTCOME_ONSET,
	};
	return r->kind == PROBE_RAMP || r->kind == PROBE_FIXED;
}

static bool ram_answer(const struct cell *cell, const struct probe_record *r, struct search_probe *ret)
{
	uint64_t max_kib = cell_ram_max_kib(cell);

	*ret = (struct search_probe){
		.z_kib = max_kib > r->z_kib ? max_kib - r->z_kib : 0,
		.swapped = r->outcome == OUTCOME_ONSET,
	};
	return r->kind == PROBE_RAM;
}

/**
 * What the load leaves of the largest guest's memory: by so much smaller, a guest should begin to swap. When
 * even the smallest is not as much smaller, nothing says that any of them swaps.
 */
static struct search_probe ram_guess(const struct cell *cell, const struct probe_record *largest)
{
	uint64_t load_kib = largest->load_pages * 4, room_kib = largest->mem_available0_kib;
	bool has_room = room_kib > load_kib && largest->outcome == OUTCOME_NO_ONSET;
	/* The search takes it for a ramp's onset, which is higher than the threshold. */
	uint64_t z_kib = has_room ? (uint64_t)((double)(room_kib - load_kib) * SEARCH_RAMP_RATIO) : 0;

	return (struct search_probe){
		.is_ramp = true,
		.z_kib = z_kib,
		.swapped = z_kib <= ram_params(cell).hi_kib,
	};
}

struct search_probe *cell_search_probes(const struct cell *cell, unsigned replicate,
					const struct probe_record *probes, size_t n, size_t *ret_n)
{
	bool is_ram = cell_is(cell, METHOD_RAM);
	struct search_probe *answers = xcalloc(n + 1, sizeof(*answers));
	size_t all = 0;

	for (size_t i = 0; i < n; i++) {
		const struct probe_record *r = &probes[i];

		if (!outcome_is_answer(r->outcome) ||
		    (replicate != CELL_EVERY_REPLICATE && r->replicate != replicate))
			continue;
		if (!(is_ram ? ram_answer(cell, r, &answers[all]) : threshold_answer(r, &answers[all])))
			continue;
		all++;
		if (is_ram && all == 1)
			answers[all++] = ram_guess(cell, r);
	}
	*ret_n = all;
	return answers;
}

struct search_next cell_search(const struct cell *cell, unsigned replicate, const struct probe_record *probes,
			       size_t n)
{
	struct search_params params = cell_search_params(cell);
	size_t answers_n;
	cleanup_free struct search_probe *answers =
		cell_search_probes(cell, replicate, probes, n, &answers_n);

	return search_decide(&params, answers, answers_n);
}
