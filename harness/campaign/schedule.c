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

/* A search with four guests at a time took 0.34 of the time of one with one (tests/sim/designs.c). */
#define SEARCH_SPEEDUP 2.5

/** What one replicate still needs. */
struct replicate_state {
	enum { NEEDS_PROBE, IS_DONE, IS_LOST, IS_NOT_APPLICABLE } status;
	bool is_running; /**< a probe of it is under way */
	bool has_next;   /**< it has a question, maybe ahead of answers under way */
	unsigned seq;
	unsigned left;
	enum probe_kind kind;
	uint64_t z_kib;
	double ramp_ratio; /**< of a finished search; 0 when there is none */
};

/** All that is known of a cell. */
struct known {
	const struct cell *cell;
	const struct probe_record *probes, *running;
	size_t n, running_n;
	int64_t forgiven_id;
	double ramp_ratio;
};

static struct replicate_state search_state(const struct known *k, unsigned replicate, unsigned answers)
{
	const struct cell *cell = k->cell;
	bool is_ram = cell_is(cell, METHOD_RAM);
	struct search_params params = cell_search_params(cell);
	cleanup_free uint64_t *pending = xcalloc(k->running_n + 1, sizeof(*pending));
	size_t probes_n;
	cleanup_free struct search_probe *probes =
		cell_search_probes(cell, replicate, k->probes, k->n, &probes_n);

	params.ramp_ratio = k->ramp_ratio;
	params.pending_kib = pending;
	for (size_t i = 0; i < k->running_n; i++) {
		uint64_t z_kib = k->running[i].z_kib;

		if (k->running[i].replicate == replicate)
			pending[params.pending_n++] = is_ram ? cell_ram_max_kib(cell) - z_kib : z_kib;
	}

	struct search_next next = search_decide(&params, probes, probes_n);
	struct replicate_state state = {
		.status = NEEDS_PROBE,
		.is_running = params.pending_n > 0,
		/* Guests of a replicate that go on from one saved boot take turns. */
		.has_next = !params.pending_n || (next.z_kib && !cell_is_restored(cell)),
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
	if (next.step == SEARCH_DONE && !is_ram)
		for (size_t i = 0; i < probes_n; i++)
			if (probes[i].is_ramp && probes[i].swapped && next.estimate.z_kib > 0)
				state.ramp_ratio = (double)probes[i].z_kib / next.estimate.z_kib;
	return state;
}

/** The state of a replicate that one probe answers. */
static struct replicate_state single_state(const struct known *k, unsigned replicate, unsigned answers)
{
	const struct cell *cell = k->cell;
	struct replicate_state state = { .status = answers ? IS_DONE : NEEDS_PROBE, .left = 1 };

	for (size_t i = 0; i < k->running_n; i++)
		state.is_running |= k->running[i].replicate == replicate;
	state.has_next = !state.is_running;

	if (cell_is(cell, METHOD_DISPLACEMENT)) {
		state.kind = PROBE_DISPLACEMENT;
		/* The ballast grows as far as in the ramp of a threshold. */
		state.z_kib = cell_search_params(cell).hi_kib;
	} else {
		state.kind = cell_is(cell, METHOD_POPULATION) ? PROBE_POPULATION : PROBE_GROWTH;
	}
	return state;
}

static struct replicate_state replicate_state(const struct known *k, unsigned replicate)
{
	unsigned answers = 0, failures = 0, seq = 0;
	bool is_applicable = true;

	for (size_t i = 0; i < k->n; i++) {
		const struct probe_record *r = &k->probes[i];

		if (r->replicate != replicate)
			continue;
		seq = r->seq >= seq ? r->seq + 1 : seq;
		if (outcome_is_answer(r->outcome))
			answers++;
		else if (r->id > k->forgiven_id)
			failures++;
		if (r->outcome == OUTCOME_NOT_APPLICABLE && r->id > k->forgiven_id)
			is_applicable = false;
	}
	for (size_t i = 0; i < k->running_n; i++)
		if (k->running[i].replicate == replicate && k->running[i].seq >= seq)
			seq = k->running[i].seq + 1;

	bool is_search = cell_is(k->cell, METHOD_THRESHOLD) || cell_is(k->cell, METHOD_RAM);
	struct replicate_state state =
		is_search ? search_state(k, replicate, answers) : single_state(k, replicate, answers);

	state.seq = seq;
	if (state.status == NEEDS_PROBE && !is_applicable)
		state.status = IS_NOT_APPLICABLE;
	else if (state.status == NEEDS_PROBE && failures >= FAILURES_MAX)
		state.status = IS_LOST;
	return state;
}

struct cell_state schedule_cell_state(const struct cell *cell, const struct probe_record *probes, size_t n,
				      int64_t forgiven_id, const struct probe_record *running,
				      size_t running_n, double ramp_ratio)
{
	const struct known known = { cell, probes, running, n, running_n, forgiven_id, ramp_ratio };
	struct cell_state ret = { 0 };

	for (unsigned i = 0; i < cell->replicates; i++) {
		struct replicate_state state = replicate_state(&known, i);

		ret.ramp_ratios += state.ramp_ratio;
		ret.ramp_ratios_n += state.ramp_ratio > 0;
		ret.done += state.status == IS_DONE;
		ret.lost += state.status == IS_LOST;
		ret.not_applicable += state.status == IS_NOT_APPLICABLE;
		if (state.status != NEEDS_PROBE)
			continue;
		ret.replicates_left++;
		ret.probes_left += state.left;
		if (!state.has_next || (ret.has_next && (state.is_running || !ret.is_ahead)))
			continue;
		ret.has_next = true;
		ret.is_ahead = state.is_running;
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
	struct probe_record *running; /* what was asked only */
	size_t running_n, running_cap;
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
	item->state = schedule_cell_state(
		item->cell, item->probes, item->probes_n, s->forgiven_id, item->running, item->running_n,
		search_ramp_ratio(item->state.ramp_ratios, item->state.ramp_ratios_n));
}

struct schedule *schedule_create(const struct cell *cells, size_t n)
{
	struct schedule *s = xcalloc(1, sizeof(*s));

	s->items = xcalloc(n + 1, sizeof(*s->items));
	s->n = n;
	for (size_t i = 0; i < n; i++) {
		s->items[i].cell = &cells[i];
		s->items[i].method_times = find_times(s, &cells[i]);
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
		free(s->items[i].running);
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

bool schedule_next(struct schedule *s, size_t *ret)
{
	const struct item *best = NULL;
	size_t fewest = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct item *item = &s->items[i];
		size_t probes = item->probes_n + item->running_n;

		if (!item->state.has_next)
			continue;
		if (!best || item->state.is_ahead < best->state.is_ahead ||
		    (item->state.is_ahead == best->state.is_ahead && probes < fewest)) {
			best = item;
			fewest = probes;
			*ret = i;
		}
	}
	/* What is asked depends on what other replicates of the cell have found, as on any shard. */
	if (best)
		update(s, &s->items[*ret]);
	return best;
}

const struct cell_state *schedule_state(const struct schedule *s, size_t i)
{
	return &s->items[i].state;
}

void schedule_begin(struct schedule *s, size_t i)
{
	struct item *item = &s->items[i];
	const struct cell_state *next = &item->state;

	*array_push(item->running, item->running_n, item->running_cap) = (struct probe_record){
		.replicate = next->replicate, .seq = next->seq, .kind = next->kind, .z_kib = next->z_kib
	};
	update(s, item);
}

void schedule_end(struct schedule *s, size_t i, unsigned replicate, unsigned seq)
{
	struct item *item = &s->items[i];
	size_t k = 0;

	while (item->running[k].replicate != replicate || item->running[k].seq != seq)
		k++;
	/* The others stay in the order they were asked in. */
	for (item->running_n--; k < item->running_n; k++)
		item->running[k] = item->running[k + 1];
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

		/* Few questions of a search can be asked ahead of the answers before them. */
		if (state->replicates_left)
			longest_s = fmax(longest_s, fmax(cell_s / state->replicates_left / SEARCH_SPEEDUP,
							 schedule_probe_s(s, i)));
		sum_s += cell_s;
	}
	return fmax(sum_s / jobs, longest_s);
}
