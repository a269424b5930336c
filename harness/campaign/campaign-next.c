/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/campaign/campaign.h"

/*
 * A replicate is given up after this many failed probes: one retry tells a passing trouble of the host from a
 * lasting one. So a cell's budget is one retry for each of its replicates, which no other replicate can use
 * up.
 */
#define FAILURES_MAX 2

/*
 * Z* is wanted within so much either way: half a MiB, which is what thresholds differ by from boot to boot in
 * small guests, and 0.2 % of RAM in larger ones, where finer differences have no use.
 */
#define PRECISION_MIN_KIB 512
#define PRECISION_OF_RAM  512

/* Enough for a share of wrong answers of one in ten; who needs more is told that the threshold is unstable.
 */
#define PROBES_MAX 40

/* Probes one search usually takes (see the search's tests): only for the ETA. */
#define PROBES_TYPICAL 9

/* Guests have whole MiB of RAM. */
#define RAM_STEP_KIB 1024

static uint64_t ram_precision_kib(const struct cell *cell)
{
	uint64_t steps = cell_uint(cell, "x_hi_mib") * 1024ull / RAM_STEP_KIB / PRECISION_OF_RAM;

	return (steps ? steps : 1) * RAM_STEP_KIB;
}

uint64_t campaign_ram_max_kib(const struct cell *cell)
{
	/* The largest guest is asked too, and the search counts answers from its precision on only. */
	return (uint64_t)cell_uint(cell, "x_hi_mib") * 1024 + ram_precision_kib(cell);
}

static struct search_params ram_params(const struct cell *cell)
{
	uint64_t max_kib = campaign_ram_max_kib(cell);

	return (struct search_params){
		.lo_kib = 0,
		.hi_kib = max_kib - (uint64_t)cell_uint(cell, "x_lo_mib") * 1024,
		.precision_kib = ram_precision_kib(cell),
		.max_probes = PROBES_MAX,
	};
}

struct search_params campaign_search_params(const struct cell *cell)
{
	uint64_t ram_kib = (uint64_t)cell_uint(cell, "x_mib") * 1024;
	uint64_t swap_kib = (uint64_t)cell_uint(cell, "swap_mib") * 1024;
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
	uint64_t max_kib = campaign_ram_max_kib(cell);

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
	uint64_t z_kib =
		room_kib > load_kib && largest->outcome == OUTCOME_NO_ONSET ? room_kib - load_kib : 0;

	return (struct search_probe){
		.is_ramp = true,
		.z_kib = z_kib,
		.swapped = z_kib <= ram_params(cell).hi_kib,
	};
}

struct search_probe *campaign_search_probes(const struct cell *cell, unsigned replicate,
					    const struct probe_record *probes, size_t n, size_t *ret_n)
{
	bool is_ram = cell_is(cell, METHOD_RAM);
	struct search_probe *answers = xcalloc(n + 1, sizeof(*answers));
	size_t all = 0;

	for (size_t i = 0; i < n; i++) {
		const struct probe_record *r = &probes[i];

		if (!outcome_is_answer(r->outcome) ||
		    (replicate != CAMPAIGN_EVERY_REPLICATE && r->replicate != replicate))
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

struct search_next campaign_search(const struct cell *cell, unsigned replicate,
				   const struct probe_record *probes, size_t n)
{
	struct search_params params = campaign_search_params(cell);
	size_t answers_n;
	cleanup_free struct search_probe *answers =
		campaign_search_probes(cell, replicate, probes, n, &answers_n);

	return search_decide(&params, answers, answers_n);
}

/** What one replicate still needs. */
struct replicate_state {
	enum { NEEDS_PROBE, IS_DONE, IS_LOST, IS_NOT_APPLICABLE } status;
	unsigned seq;
	unsigned left;
	enum probe_kind kind;
	uint64_t z_kib;
};

static struct replicate_state search_state(const struct cell *cell, unsigned replicate, unsigned answers,
					   const struct probe_record *probes, size_t n)
{
	struct search_next next = campaign_search(cell, replicate, probes, n);
	bool is_ram = cell_is(cell, METHOD_RAM);
	struct replicate_state state = {
		.status = NEEDS_PROBE,
		.left = answers < PROBES_TYPICAL ? PROBES_TYPICAL - answers : 1,
		.kind = is_ram ? PROBE_RAM : PROBE_FIXED,
		.z_kib = is_ram ? campaign_ram_max_kib(cell) - next.z_kib : next.z_kib,
	};

	if (next.step == SEARCH_RAMP) {
		state.kind = is_ram ? PROBE_RAM : PROBE_RAMP;
		state.z_kib = is_ram ? (uint64_t)cell_uint(cell, "x_hi_mib") * 1024
				     : campaign_search_params(cell).hi_kib;
	} else if (next.step != SEARCH_PROBE) {
		state.status = IS_DONE;
	}
	return state;
}

/** A replicate that one probe answers. */
static struct replicate_state single_state(const struct cell *cell, unsigned answers)
{
	struct replicate_state state = { .status = answers ? IS_DONE : NEEDS_PROBE, .left = 1 };

	if (cell_is(cell, METHOD_DISPLACEMENT)) {
		state.kind = PROBE_DISPLACEMENT;
		/* The ballast goes as far as that of the threshold's ramp would. */
		state.z_kib = campaign_search_params(cell).hi_kib;
	} else {
		state.kind = cell_is(cell, METHOD_POPULATION) ? PROBE_POPULATION : PROBE_GROWTH;
	}
	return state;
}

static struct replicate_state replicate_state(const struct cell *cell, unsigned replicate,
					      const struct probe_record *probes, size_t n,
					      int64_t forgiven_id)
{
	unsigned answers = 0, failures = 0, seq = 0;
	bool is_applicable = true;

	for (size_t i = 0; i < n; i++) {
		const struct probe_record *r = &probes[i];

		if (r->replicate != replicate)
			continue;
		seq++;
		if (outcome_is_answer(r->outcome))
			answers++;
		else if (r->id > forgiven_id)
			failures++;
		if (r->outcome == OUTCOME_NOT_APPLICABLE && r->id > forgiven_id)
			is_applicable = false;
	}

	bool is_search = cell_is(cell, METHOD_THRESHOLD) || cell_is(cell, METHOD_RAM);
	struct replicate_state state =
		is_search ? search_state(cell, replicate, answers, probes, n) : single_state(cell, answers);

	state.seq = seq;
	if (state.status == NEEDS_PROBE && !is_applicable)
		state.status = IS_NOT_APPLICABLE;
	else if (state.status == NEEDS_PROBE && failures >= FAILURES_MAX)
		state.status = IS_LOST;
	return state;
}

struct cell_state campaign_cell_state(const struct cell *cell, const struct probe_record *probes, size_t n,
				      int64_t forgiven_id, const bool *is_running)
{
	struct cell_state ret = { 0 };

	for (unsigned i = 0; i < cell->replicates; i++) {
		struct replicate_state state = replicate_state(cell, i, probes, n, forgiven_id);

		ret.done += state.status == IS_DONE;
		ret.lost += state.status == IS_LOST;
		ret.not_applicable += state.status == IS_NOT_APPLICABLE;
		if (state.status != NEEDS_PROBE)
			continue;
		ret.replicates_left++;
		ret.probes_left += state.left;
		if (ret.has_next || (is_running && is_running[i]))
			continue;
		ret.has_next = true;
		ret.replicate = i;
		ret.seq = state.seq;
		ret.kind = state.kind;
		ret.z_kib = state.z_kib;
	}
	return ret;
}
