/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>

#include "harness/base/alloc.h"
#include "harness/cell/cell-search.h"
#include "harness/report/report-parts.h"

/*
 * What all parts of a report start from: the probes of each cell, read once, and what its searches make of
 * them, computed once.
 */

/* Is it the smallest guest of its replicate that did not swap? For method ram. */
static bool is_smallest_calm(const struct probe_record *probe, const struct report_probes *p)
{
	if (probe->outcome != OUTCOME_NO_ONSET)
		return false;
	for (size_t i = 0; i < p->n; i++) {
		const struct probe_record *o = &p->v[i];

		if (o->replicate == probe->replicate && o->outcome == OUTCOME_NO_ONSET &&
		    (o->z_kib < probe->z_kib || (o->z_kib == probe->z_kib && o->id > probe->id)))
			return false;
	}
	return true;
}

static bool has_y(const struct probe_record *probe, const struct report_probes *p)
{
	if (probe->kind == PROBE_RAM)
		return is_smallest_calm(probe, p);
	return probe->outcome == OUTCOME_ONSET && probe->kind != PROBE_RAMP;
}

static void add_means(struct report_probes *p)
{
	double total = 0, available = 0;
	unsigned n = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (!p->v[i].mem_total_kib)
			continue;
		total += (double)p->v[i].mem_total_kib;
		available += (double)p->v[i].mem_available0_kib;
		n++;
	}
	p->mem_total_kib = n ? total / n : (double)NAN;
	p->mem_available0_kib = n ? available / n : (double)NAN;
}

static void count_replicates(const struct cell *cell, struct report_probes *p)
{
	p->replicates = xcalloc(cell->replicates, sizeof(*p->replicates));
	for (size_t i = 0; i < p->n; i++) {
		if (p->v[i].replicate >= cell->replicates)
			continue;
		p->replicates[p->v[i].replicate].probes++;
		p->replicates[p->v[i].replicate].answers += outcome_is_answer(p->v[i].outcome);
	}
}

/*
 * What each replicate's search came to, and all of them together: each Z was asked in a guest of its own, so
 * their answers are of one kind. What the searches differ by is among what the estimate takes as the spread
 * from boot to boot.
 */
static void search(const struct cell *cell, struct report_probes *p)
{
	const struct report_replicate *only = NULL;
	unsigned answers = 0;

	for (size_t i = 0; i < p->n; i++)
		answers += outcome_is_answer(p->v[i].outcome);
	for (unsigned i = 0; i < cell->replicates; i++) {
		struct report_replicate *replicate = &p->replicates[i];

		if (!replicate->probes)
			continue;
		replicate->search = cell_search(cell, i, p->v, p->n);
		if (replicate->answers == answers)
			only = replicate;
	}
	p->estimate =
		only ? only->search.estimate : cell_search(cell, CELL_EVERY_REPLICATE, p->v, p->n).estimate;
	p->is_beyond = cell_is(cell, METHOD_RAM) && p->estimate.answers && !p->estimate.bracket_lo_kib;
}

/* No part uses the texts of guests and QEMU, and thousands of probes have megabytes of them. */
static void drop_texts(struct probe_record *r)
{
	char **texts[] = { &r->console, &r->output, &r->command_line };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		free(*texts[i]);
		*texts[i] = NULL;
	}
}

/* The series of what was weighed, and of the ballast that it is weighed against. */
static struct err *read_weighing(struct store *store, const struct probe_record *probe, struct weighing *ret)
{
	bool is_ramp = probe->kind == PROBE_RAMP || probe->kind == PROBE_DISPLACEMENT;
	cleanup_free struct proto_sample *samples = NULL;
	size_t n = 0;
	struct err *e = NULL;

	if (is_ramp && probe->outcome == OUTCOME_ONSET)
		e = store_samples(store, probe->id, &samples, &n);
	if (!e)
		*ret = weighing_read(samples, n, probe->onset_t_us);
	return e;
}

static struct err *read_cell(struct store *store, struct report *r, size_t cell)
{
	struct report_probes *p = &r->probes[cell];
	struct err *e = store_probes(store, r->cells[cell].key, &p->v, &p->n);

	if (e)
		return e;
	p->first = r->probes_n;
	r->probes_n += p->n;
	p->has_y = xcalloc(p->n, sizeof(*p->has_y));
	p->weighings = xcalloc(p->n, sizeof(*p->weighings));
	for (size_t i = 0; !e && i < p->n; i++) {
		drop_texts(&p->v[i]);
		p->has_y[i] = has_y(&p->v[i], p);
		e = read_weighing(store, &p->v[i], &p->weighings[i]);
	}
	if (e)
		return e;
	add_means(p);
	count_replicates(&r->cells[cell], p);
	p->is_search = cell_is(&r->cells[cell], METHOD_THRESHOLD) || cell_is(&r->cells[cell], METHOD_RAM);
	if (p->is_search)
		search(&r->cells[cell], p);
	return NULL;
}

static int by_id(const void *a, const void *b)
{
	const struct report_place *x = a, *y = b;

	return (x->probe_id > y->probe_id) - (x->probe_id < y->probe_id);
}

struct err *report_probes_read(struct store *store, struct report *r)
{
	struct err *e = store_cells(store, &r->cells, &r->cells_n);

	r->probes = xcalloc(r->cells_n, sizeof(*r->probes));
	for (size_t i = 0; !e && i < r->cells_n; i++)
		e = read_cell(store, r, i);
	r->places = xcalloc(r->probes_n, sizeof(*r->places));
	for (size_t i = 0; !e && i < r->cells_n; i++)
		for (size_t j = 0, n = r->probes[i].first; j < r->probes[i].n; j++, n++)
			r->places[n] = (struct report_place){ r->probes[i].v[j].id, n };
	qsort(r->places, r->probes_n, sizeof(*r->places), by_id);
	return e;
}

void report_probes_free(struct report *r)
{
	for (size_t i = 0; r->probes && i < r->cells_n; i++) {
		store_probes_free(r->probes[i].v, r->probes[i].n);
		free(r->probes[i].has_y);
		free(r->probes[i].weighings);
		free(r->probes[i].replicates);
	}
	free(r->probes);
	free(r->places);
	store_cells_free(r->cells, r->cells_n);
}

bool report_probe_number(const struct report *r, int64_t probe_id, size_t *ret)
{
	struct report_place key = { .probe_id = probe_id };
	const struct report_place *place = bsearch(&key, r->places, r->probes_n, sizeof(key), by_id);

	if (place)
		*ret = place->number;
	return place != NULL;
}
