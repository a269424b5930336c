/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/evidence/text.h"
#include "harness/base/alloc.h"
#include "harness/campaign/campaign.h"
#include "harness/cell/cell.h"
#include "harness/report/report.h"

/*
 * What a workload costs beside the RAM at one moment: the largest and the average footprint on its way, CPU
 * time, wall time, the pauses of its collector; and how much of each measure is the interpreter's own, by
 * what the same cell says of the workload "bare". What a cell is when it is compared with Z is in report.c.
 */

/* What the texts of a probe told. */
struct told {
	int64_t probe_id;
	struct checkpoints checkpoints;
	double cpu_ms; /* of the cgroup; NAN without */
};

struct tolds {
	struct told *v; /* by probe */
	size_t n, cap;
};

/* Texts of a probe come one after the other. */
static struct told *told_of(struct tolds *t, int64_t probe_id)
{
	if (t->n && t->v[t->n - 1].probe_id == probe_id)
		return &t->v[t->n - 1];

	struct told *told = array_push(t->v, t->n, t->cap);

	told->probe_id = probe_id;
	told->cpu_ms = NAN;
	checkpoints_read("", 0, &told->checkpoints);
	return told;
}

static void on_content(void *arg, const struct store_content *c)
{
	struct told *told;
	uint64_t usage_us;

	if (c->pid)
		return;
	told = told_of(arg, c->probe_id);
	if (strcmp(c->name, "checkpoints") == 0)
		checkpoints_read(c->data, c->len, &told->checkpoints);
	else if (text_get_number(c->data, c->len, "usage_usec", &usage_us))
		told->cpu_ms = (double)usage_us / 1000;
}

static int by_probe(const void *a, const void *b)
{
	const struct told *x = a, *y = b;

	return (x->probe_id > y->probe_id) - (x->probe_id < y->probe_id);
}

static struct err *read_told(struct store *store, struct tolds *ret)
{
	static const char *const names[] = { "checkpoints", "cpu.stat", NULL };
	struct err *e = store_each_content(store, STORE_JUDGED, names, on_content, ret);

	if (!e && ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_probe);
	return e;
}

/* A mean that comes about bit by bit; values that are not known take no part. */
struct mean {
	double sum;
	unsigned n;
};

static void add(struct mean *m, double x)
{
	if (isnan(x))
		return;
	m->sum += x;
	m->n++;
}

static double mean_of(const struct mean *m)
{
	return m->n ? m->sum / m->n : (double)NAN;
}

/* A cell under way. */
struct sums {
	struct mean max_kib, mean_kib, wall_ms, cpu_ms, full_wall_ms, full_cpu_ms, gc_n[GC_KINDS],
		gc_total_us[GC_KINDS];
};

/* Guest time of what the load said last, or at which the guest swapped; UINT64_MAX when that is not known. */
static uint64_t end_of(const struct probe_record *probe, const struct checkpoints *c,
		       const struct proto_sample *s, size_t n)
{
	if (probe->kind != PROBE_GROWTH)
		return c->has_end ? c->end_us : UINT64_MAX;
	return n && probe->onset_t_us >= 0 ? s[0].t_us + (uint64_t)probe->onset_t_us : UINT64_MAX;
}

static void add_told(struct sums *sums, struct report_space_time *ret, const struct told *told)
{
	add(&sums->cpu_ms, told->cpu_ms);
	for (size_t i = 0; i < GC_KINDS; i++) {
		add(&sums->gc_n[i], told->checkpoints.gc[i].n);
		add(&sums->gc_total_us[i], told->checkpoints.gc[i].total_us);
		ret->gc[i].max_us = fmax(ret->gc[i].max_us, told->checkpoints.gc[i].max_us);
	}
}

static struct err *add_probe(struct store *store, const struct probe_record *probe, const struct tolds *tolds,
			     struct sums *sums, struct report_space_time *ret)
{
	struct told key = { .probe_id = probe->id };
	const struct told *told = tolds->n ? bsearch(&key, tolds->v, tolds->n, sizeof(key), by_probe) : NULL;
	cleanup_free struct proto_sample *samples = NULL;
	size_t n;
	struct err *e = store_samples(store, probe->id, &samples, &n);

	if (e)
		return e;
	checkpoints_read("", 0, &key.checkpoints);
	key.cpu_ms = NAN;
	told = told ? told : &key;

	uint64_t end_us = end_of(probe, &told->checkpoints, samples, n);
	struct footprint f = footprint_of(samples, n, end_us);

	add(&sums->max_kib, f.max_kib);
	add(&sums->mean_kib, f.mean_kib);
	/* How long a load at rest was left at rest is no time of its own. */
	add(&sums->wall_ms, end_us == UINT64_MAX ? (double)NAN : f.wall_ms);
	if (told->checkpoints.has_full)
		add(&sums->full_wall_ms, footprint_of(samples, n, told->checkpoints.full_us).wall_ms);
	add(&sums->full_cpu_ms, told->checkpoints.full_cpu_ms);
	add_told(sums, ret, told);
	ret->n++;
	return NULL;
}

static void set_means(const struct sums *sums, struct report_space_time *ret)
{
	ret->max_kib = mean_of(&sums->max_kib);
	ret->mean_kib = mean_of(&sums->mean_kib);
	ret->wall_ms = mean_of(&sums->wall_ms);
	ret->cpu_ms = mean_of(&sums->cpu_ms);
	ret->full_wall_ms = mean_of(&sums->full_wall_ms);
	ret->full_cpu_ms = mean_of(&sums->full_cpu_ms);
	for (size_t i = 0; i < GC_KINDS; i++) {
		ret->gc[i].n = mean_of(&sums->gc_n[i]);
		ret->gc[i].total_us = mean_of(&sums->gc_total_us[i]);
	}
}

static struct err *add_cell(struct store *store, struct report *r, const struct cell *cell,
			    const struct tolds *tolds)
{
	struct report_space_time *c = &r->space_times[r->space_times_n];
	struct probe_record *probes;
	struct sums sums = { .max_kib = { 0 } };
	size_t n;
	struct err *e = store_probes(store, cell->key, &probes, &n);

	if (e)
		return e;
	*c = (struct report_space_time){ .cell = cell, .zeq_over_bare_kib = NAN };
	for (size_t i = 0; i < GC_KINDS; i++)
		c->gc[i].max_us = NAN;
	for (size_t i = 0; !e && i < n; i++)
		if (report_has_y(&probes[i], probes, n))
			e = add_probe(store, &probes[i], tolds, &sums, c);
	store_probes_free(probes, n);
	set_means(&sums, c);
	r->space_times_n += c->n > 0;
	return e;
}

/* Has the cell an interpreter? What it runs is then a workload. */
static bool is_workload(const struct cell *cell)
{
	struct known_spec known;

	return !cell_is(cell, METHOD_THRESHOLD) && !cell_known(cell, &known) &&
	       strcmp(cell_str(cell, "interpreter"), "-") != 0;
}

/* Is b what a is, but for the workload "bare"? */
static bool is_bare_of(const struct cell *b, const struct cell *a)
{
	static const char *const keys[] = { "method", "interpreter", "processes", "launch" };

	if (b == a || strcmp(cell_str(b, "workload"), "bare") != 0 ||
	    strcmp(b->threshold_key, a->threshold_key) != 0 ||
	    strcmp(cell_str(b, "activity"), cell_str(a, "activity")) != 0)
		return false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!json_equal(json_object_get(a->identity, keys[i]), json_object_get(b->identity, keys[i])))
			return false;
	return true;
}

const struct cell *report_find_bare(const struct report *r, const struct cell *cell)
{
	for (size_t i = 0; i < r->cells_n; i++)
		if (is_bare_of(&r->cells[i], cell))
			return &r->cells[i];
	return NULL;
}

/* The first of a cell's rows, of which there is one for each metric. */
static const struct report_row *rows_of(const struct report *r, const struct cell *cell, size_t metrics_n)
{
	return &r->rows[(size_t)(cell - r->cells) * metrics_n];
}

static void set_over_bare(const struct report *r, struct report_space_time *c)
{
	const struct cell *bare = report_find_bare(r, c->cell);
	const struct report_row *y = rows_of(r, c->cell, c->metrics_n), *y0;

	for (size_t i = 0; i < c->metrics_n; i++) {
		c->metrics[i].name = y[i].metric;
		c->metrics[i].at_checkpoints = FOOTPRINT_NO_VALUES;
		c->metrics[i].over_bare_kib = NAN;
	}
	if (!bare)
		return;
	y0 = rows_of(r, bare, c->metrics_n);
	for (size_t i = 0; i < c->metrics_n; i++)
		c->metrics[i].over_bare_kib = y[i].y_kib - y0[i].y_kib;
	if (c->metrics_n && cell_is(c->cell, METHOD_DISPLACEMENT))
		c->zeq_over_bare_kib = y[0].z_kib - y0[0].z_kib;
}

struct err *report_space_time_build(struct store *store, struct report *r, size_t metrics_n)
{
	struct tolds tolds = { .n = 0 };
	struct err *e = read_told(store, &tolds);

	r->space_times = xcalloc(r->cells_n, sizeof(*r->space_times));
	for (size_t i = 0; !e && i < r->cells_n; i++)
		if (is_workload(&r->cells[i]))
			e = add_cell(store, r, &r->cells[i], &tolds);
	free(tolds.v);
	for (size_t i = 0; !e && i < r->space_times_n; i++) {
		r->space_times[i].metrics = xcalloc(metrics_n, sizeof(*r->space_times[i].metrics));
		r->space_times[i].metrics_n = metrics_n;
		set_over_bare(r, &r->space_times[i]);
	}
	return e;
}

void report_space_time_free(struct report *r)
{
	for (size_t i = 0; i < r->space_times_n; i++)
		free(r->space_times[i].metrics);
	free(r->space_times);
}
