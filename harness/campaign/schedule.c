/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/campaign/schedule.h"

#include <math.h>
#include <stdlib.h>

#include "harness/base/alloc.h"
#include "harness/cell/cell-search.h"

/*
 * A replicate is given up after this many failed probes: one retry tells a passing trouble of the host from a
 * lasting one. So a cell's budget is one retry for each of its replicates, which no other replicate can use
 * up.
 */
#define FAILURES_MAX 2

/* Probes that one search usually takes (see the tests of the search). Only the ETA uses it. */
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

/** The state of a replicate that one probe answers. */
static struct replicate_state single_state(const struct cell *cell, unsigned answers)
{
	struct replicate_state state = { .status = answers ? IS_DONE : NEEDS_PROBE, .left = 1 };

	if (cell_is(cell, METHOD_DISPLACEMENT)) {
		state.kind = PROBE_DISPLACEMENT;
		/* The ballast grows as far as in the ramp of a threshold. */
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

struct cell_state schedule_cell_state(const struct cell *cell, const struct probe_record *probes, size_t n,
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

/** How long probes took. Probes without a guest do not count. */
struct times {
	double sum_s;
	unsigned n;
};

/** A cell, its recorded probes and those under way. */
struct item {
	const struct cell *cell;
	struct times *method_times;  /* of all cells of its method */
	struct probe_record *probes; /* numbers only */
	size_t probes_n, probes_cap;
	struct times times;
	bool *is_running; /* by replicate */
	unsigned running;
	struct cell_state state;
};

struct schedule {
	struct item *items;
	size_t n;
	int64_t forgiven_id;
	struct times by_method[METHOD_COUNT + 1]; /* the last: methods that we do not know */
};

static struct times *find_times(struct schedule *s, const struct cell *cell)
{
	int m = 0;

	while (m < METHOD_COUNT && !cell_is(cell, (enum method)m))
		m++;
	return &s->by_method[m];
}

static void update(const struct schedule *s, struct item *item)
{
	item->state = schedule_cell_state(item->cell, item->probes, item->probes_n, s->forgiven_id,
					  item->is_running);
}

struct schedule *schedule_create(const struct cell *cells, size_t n)
{
	struct schedule *s = xcalloc(1, sizeof(*s));

	s->items = xcalloc(n + 1, sizeof(*s->items));
	s->n = n;
	for (size_t i = 0; i < n; i++) {
		s->items[i].cell = &cells[i];
		s->items[i].method_times = find_times(s, &cells[i]);
		s->items[i].is_running = xcalloc(cells[i].replicates + 1, sizeof(bool));
		update(s, &s->items[i]);
	}
	return s;
}

void schedule_destroy(struct schedule *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		free(s->items[i].probes);
		free(s->items[i].is_running);
	}
	free(s->items);
	free(s);
}

/** A run keeps hundreds of probes in memory, so it keeps no texts, samples or snapshots of them. */
static struct probe_record numbers_of(const struct probe_record *r)
{
	struct probe_record numbers = *r;

	numbers.reason = numbers.flags = numbers.console = numbers.output = numbers.command_line = NULL;
	numbers.samples = NULL;
	numbers.snapshots = NULL;
	return numbers;
}

static void add_time(struct times *times, int64_t ms)
{
	times->sum_s += (double)ms / 1000;
	times->n += ms > 0;
}

void schedule_add_probes(struct schedule *s, size_t i, const struct probe_record *probes, size_t n)
{
	struct item *item = &s->items[i];

	for (size_t k = 0; k < n; k++) {
		*array_push(item->probes, item->probes_n, item->probes_cap) = numbers_of(&probes[k]);
		add_time(&item->times, probe_time_ms(&probes[k]));
		add_time(item->method_times, probe_time_ms(&probes[k]));
	}
	update(s, item);
}

void schedule_forgive(struct schedule *s)
{
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->items[i].probes_n; k++)
			if (s->items[i].probes[k].id > s->forgiven_id)
				s->forgiven_id = s->items[i].probes[k].id;
	for (size_t i = 0; i < s->n; i++)
		update(s, &s->items[i]);
}

bool schedule_next(const struct schedule *s, size_t *ret)
{
	size_t fewest = SIZE_MAX;

	for (size_t i = 0; i < s->n; i++) {
		const struct item *item = &s->items[i];

		if (item->state.has_next && item->probes_n + item->running < fewest) {
			fewest = item->probes_n + item->running;
			*ret = i;
		}
	}
	return fewest != SIZE_MAX;
}

const struct cell_state *schedule_state(const struct schedule *s, size_t i)
{
	return &s->items[i].state;
}

void schedule_set_running(struct schedule *s, size_t i, unsigned replicate, bool is_running)
{
	struct item *item = &s->items[i];

	item->is_running[replicate] = is_running;
	item->running = is_running ? item->running + 1 : item->running - 1;
	update(s, item);
}

double schedule_probe_s(const struct schedule *s, size_t i)
{
	const struct item *item = &s->items[i];
	const struct times *times = item->times.n ? &item->times : item->method_times;

	return times->n ? times->sum_s / times->n : probe_time_typical_s(item->cell);
}

unsigned schedule_left(const struct schedule *s)
{
	unsigned left = 0;

	for (size_t i = 0; i < s->n; i++)
		left += s->items[i].state.probes_left;
	return left;
}

double schedule_eta_s(const struct schedule *s, unsigned jobs)
{
	double sum_s = 0, longest_s = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct cell_state *state = &s->items[i].state;
		double cell_s = state->probes_left * schedule_probe_s(s, i);

		/* Each question of a search follows from the answers before it. */
		if (state->replicates_left)
			longest_s = fmax(longest_s, cell_s / state->replicates_left);
		sum_s += cell_s;
	}
	return fmax(sum_s / jobs, longest_s);
}
