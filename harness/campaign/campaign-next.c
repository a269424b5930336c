/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/campaign/campaign.h"
#include "harness/cell/cell-search.h"
#include "harness/cell/cell.h"

/*
 * A replicate is given up after this many failed probes: one retry tells a passing trouble of the host from a
 * lasting one. So a cell's budget is one retry for each of its replicates, which no other replicate can use
 * up.
 */
#define FAILURES_MAX 2

/* Probes one search usually takes (see the search's tests): only for the ETA. */
#define PROBES_TYPICAL 9

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
	struct search_next next = cell_search(cell, replicate, probes, n);
	bool is_ram = cell_is(cell, METHOD_RAM);
	struct replicate_state state = {
		.status = NEEDS_PROBE,
		.left = answers < PROBES_TYPICAL ? PROBES_TYPICAL - answers : 1,
		.kind = is_ram ? PROBE_RAM : PROBE_FIXED,
		.z_kib = is_ram ? cell_ram_max_kib(cell) - next.z_kib : next.z_kib,
	};

	if (next.step == SEARCH_RAMP) {
		state.kind = is_ram ? PROBE_RAM : PROBE_RAMP;
		state.z_kib = is_ram ? (uint64_t)cell->x_hi_mib * 1024 : cell_search_params(cell).hi_kib;
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
		state.z_kib = cell_search_params(cell).hi_kib;
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
