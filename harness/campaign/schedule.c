/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/campaign/schedule.h"

#include <math.h>
#include <stdlib.h>

#include "harness/base/alloc.h"
#include "harness/cell/cell.h"
#include "harness/cell/probe-time.h"

/** How long probes took; those without a guest do not count. */
struct times {
	double sum_s;
	unsigned n;
};

/** A cell, what is recorded of it and what is under way. */
struct item {
	const struct cell *cell;
	struct times *method_times; /* of all cells of its method */
	struct probe_record *probes;
	size_t probes_n;
	struct times times;
	bool *is_running; /* by replicate */
	unsigned running;
	struct cell_state state;
};

struct schedule {
	struct item *items;
	size_t n;
	int64_t forgiven_id;
	struct times by_method[METHOD_COUNT + 1]; /* the last: of a method that we do not know */
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
	item->state = campaign_cell_state(item->cell, item->probes, item->probes_n, s->forgiven_id,
					  item->is_running);
}

struct schedule *schedule_create(const struct cell *cells, size_t n, int64_t forgiven_id)
{
	struct schedule *s = xcalloc(1, sizeof(*s));

	s->items = xcalloc(n + 1, sizeof(*s->items));
	s->n = n;
	s->forgiven_id = forgiven_id;
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
		store_probes_free(s->items[i].probes, s->items[i].probes_n);
		free(s->items[i].is_running);
	}
	free(s->items);
	free(s);
}

static struct times count_times(const struct probe_record *probes, size_t n)
{
	struct times times = { 0 };

	for (size_t k = 0; k < n; k++) {
		int64_t ms = probe_time_ms(&probes[k]);

		times.sum_s += (double)ms / 1000;
		times.n += ms > 0;
	}
	return times;
}

/** Hundreds of probes are at hand for the whole of a run: no need for all they ever printed. */
static void drop_texts(struct probe_record *r)
{
	free(r->console);
	free(r->output);
	free(r->command_line);
	r->console = r->output = r->command_line = NULL;
}

void schedule_set_probes(struct schedule *s, size_t i, struct probe_record *probes, size_t n)
{
	struct item *item = &s->items[i];

	store_probes_free(item->probes, item->probes_n);
	for (size_t k = 0; k < n; k++)
		drop_texts(&probes[k]);
	item->method_times->sum_s -= item->times.sum_s;
	item->method_times->n -= item->times.n;
	item->times = count_times(probes, n);
	item->method_times->sum_s += item->times.sum_s;
	item->method_times->n += item->times.n;
	item->probes = probes;
	item->probes_n = n;
	update(s, item);
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

void schedule_begin(struct schedule *s, size_t i, unsigned replicate)
{
	struct item *item = &s->items[i];

	item->is_running[replicate] = true;
	item->running++;
	update(s, item);
}

void schedule_end(struct schedule *s, size_t i, unsigned replicate)
{
	struct item *item = &s->items[i];

	item->is_running[replicate] = false;
	item->running--;
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

		/* The questions of a search follow from each other's answers. */
		if (state->replicates_left)
			longest_s = fmax(longest_s, cell_s / state->replicates_left);
		sum_s += cell_s;
	}
	return fmax(sum_s / jobs, longest_s);
}
