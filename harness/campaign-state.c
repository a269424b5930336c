/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/campaign.h"

/*
 * A replicate is given up after this many failed probes: one retry tells a passing trouble of the host from a
 * lasting one.
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

struct search_params campaign_search_params(const struct cell *threshold_cell)
{
	uint64_t ram_kib = (uint64_t)cell_uint(threshold_cell, "x_mib") * 1024;
	uint64_t swap_kib = (uint64_t)cell_uint(threshold_cell, "swap_mib") * 1024;

	uint64_t precision_kib = ram_kib / PRECISION_OF_RAM / 4 * 4;

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

static bool has_search_answer(const struct probe_record *r)
{
	return outcome_is_answer(r->outcome) && (r->kind == PROBE_RAMP || r->kind == PROBE_FIXED);
}

struct search_probe *campaign_search_probes(unsigned replicate, const struct probe_record *probes, size_t n,
					    size_t *ret_n)
{
	struct search_probe *answers = xcalloc(n, sizeof(*answers));

	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		const struct probe_record *r = &probes[i];

		if (!has_search_answer(r) ||
		    (replicate != CAMPAIGN_EVERY_REPLICATE && r->replicate != replicate))
			continue;
		answers[(*ret_n)++] = (struct search_probe){
			.is_ramp = r->kind == PROBE_RAMP,
			.z_kib = r->kind == PROBE_RAMP ? r->load_pages * 4 : r->z_kib,
			.swapped = r->outcome == OUTCOME_ONSET,
		};
	}
	return answers;
}

struct search_next campaign_search(const struct cell *threshold_cell, unsigned replicate,
				   const struct probe_record *probes, size_t n)
{
	struct search_params params = campaign_search_params(threshold_cell);
	size_t answers_n;
	cleanup_free struct search_probe *answers = campaign_search_probes(replicate, probes, n, &answers_n);

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

static struct replicate_state threshold_state(const struct cell *cell, unsigned replicate, unsigned answers,
					      const struct probe_record *probes, size_t n)
{
	struct search_next next = campaign_search(cell, replicate, probes, n);
	struct replicate_state state = {
		.status = NEEDS_PROBE,
		.left = answers < PROBES_TYPICAL ? PROBES_TYPICAL - answers : 1,
		.kind = PROBE_FIXED,
		.z_kib = next.z_kib,
	};

	if (next.step == SEARCH_RAMP) {
		state.kind = PROBE_RAMP;
		state.z_kib = campaign_search_params(cell).hi_kib;
	} else if (next.step != SEARCH_PROBE) {
		state.status = IS_DONE;
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

	struct replicate_state state;

	if (cell_is(cell, METHOD_THRESHOLD))
		state = threshold_state(cell, replicate, answers, probes, n);
	else if (cell_is(cell, METHOD_DISPLACEMENT))
		/* The ballast goes as far as that of the threshold's ramp would. */
		state = (struct replicate_state){ .status = answers ? IS_DONE : NEEDS_PROBE,
						  .left = 1,
						  .kind = PROBE_DISPLACEMENT,
						  .z_kib = campaign_search_params(cell).hi_kib };
	else
		state = (struct replicate_state){ .status = answers ? IS_DONE : NEEDS_PROBE,
						  .left = 1,
						  .kind = PROBE_GROWTH };
	state.seq = seq;
	if (state.status == NEEDS_PROBE && !is_applicable)
		state.status = IS_NOT_APPLICABLE;
	else if (state.status == NEEDS_PROBE && failures >= FAILURES_MAX)
		state.status = IS_LOST;
	return state;
}

struct cell_state campaign_cell_state(const struct cell *cell, const struct probe_record *probes, size_t n,
				      int64_t forgiven_id)
{
	struct cell_state ret = { 0 };

	for (unsigned i = 0; i < cell->replicates; i++) {
		struct replicate_state state = replicate_state(cell, i, probes, n, forgiven_id);

		ret.done += state.status == IS_DONE;
		ret.lost += state.status == IS_LOST;
		ret.not_applicable += state.status == IS_NOT_APPLICABLE;
		if (state.status != NEEDS_PROBE)
			continue;
		ret.probes_left += state.left;
		if (ret.has_next)
			continue;
		ret.has_next = true;
		ret.replicate = i;
		ret.seq = state.seq;
		ret.kind = state.kind;
		ret.z_kib = state.z_kib;
	}
	return ret;
}
