/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/evidence/means.h"
#include "calibrate/evidence/text.h"
#include "harness/base/alloc.h"
#include "harness/cell/cell-format.h"
#include "harness/report/report-parts.h"

/*
 * What a workload costs beside the RAM at one moment: the largest and the average footprint on its way, CPU
 * time, wall time, the pauses of its collector; and how much of each measure is the interpreter's own, by
 * what the same cell says of the workload "bare".
 */

#define NO_METRIC ((struct report_over_time){ .at_checkpoints = FOOTPRINT_NO_VALUES, .over_bare_kib = NAN })

/* What the texts of a probe told. */
struct told {
	struct checkpoints checkpoints;
	double cpu_ms; /* of the cgroup; NAN without */
};

struct reader {
	const struct report *r;
	struct told *told; /* by the numbers of the probes */
};

static void on_content(void *arg, const struct store_content *c)
{
	const struct reader *reader = arg;
	uint64_t usage_us;
	size_t number;

	if (c->pid || !report_probe_number(reader->r, c->probe_id, &number))
		return;
	if (strcmp(c->name, "checkpoints") == 0)
		checkpoints_read(c->data, c->len, &reader->told[number].checkpoints);
	else if (text_get_number(c->data, c->len, "usage_usec", &usage_us))
		reader->told[number].cpu_ms = (double)usage_us / 1000;
}

static struct err *read_told(struct store *store, const struct report *r, struct told *ret)
{
	static const char *const names[] = { "checkpoints", "cpu.stat", NULL };
	struct reader reader = { r, ret };

	for (size_t i = 0; i < r->probes_n; i++) {
		ret[i].cpu_ms = NAN;
		checkpoints_read("", 0, &ret[i].checkpoints);
	}
	return store_each_content(store, STORE_JUDGED, names, on_content, &reader);
}

/* Guest time of what the load said last, or at which the guest swapped; UINT64_MAX when that is not known. */
static uint64_t end_of(const struct probe_record *probe, const struct checkpoints *c,
		       const struct proto_sample *s, size_t n)
{
	if (probe->kind != PROBE_GROWTH)
		return c->has_end ? c->end_us : UINT64_MAX;
	return n && probe->onset_t_us >= 0 ? s[0].t_us + (uint64_t)probe->onset_t_us : UINT64_MAX;
}

static struct err *read_costs(struct store *store, const struct probe_record *probe, const struct told *told,
			      struct report_costs *ret)
{
	cleanup_free struct proto_sample *samples = NULL;
	const struct checkpoints *c = &told->checkpoints;
	size_t n;
	struct err *e = store_samples(store, probe->id, &samples, &n);

	if (e)
		return e;

	uint64_t end_us = end_of(probe, c, samples, n);
	struct footprint f = footprint_of(samples, n, end_us);

	*ret = (struct report_costs){
		.max_kib = f.max_kib,
		.mean_kib = f.mean_kib,
		.cpu_ms = told->cpu_ms,
		/* The time for which a load was left at rest is not its own. */
		.wall_ms = end_us == UINT64_MAX ? (double)NAN : f.wall_ms,
		.full_cpu_ms = c->full_cpu_ms,
		.full_wall_ms = c->has_full ? footprint_of(samples, n, c->full_us).wall_ms : (double)NAN,
	};
	memcpy(ret->gc, c->gc, sizeof(ret->gc));
	return NULL;
}

static struct err *add_cell(struct store *store, struct report *r, size_t cell, const struct told *told)
{
	const struct report_probes *p = &r->probes[cell];
	cleanup_free struct report_costs *costs = xcalloc(p->n, sizeof(*costs));
	struct report_space_time c = { .cell = &r->cells[cell], .zeq_over_bare_kib = NAN };
	struct err *e = NULL;

	for (size_t i = 0; !e && i < p->n; i++)
		if (p->has_y[i])
			e = read_costs(store, &p->v[i], &told[p->first + i], &costs[c.n++]);
	if (e || !c.n)
		return e;
	means_known((const double *)costs, sizeof(*costs) / sizeof(double), c.n,
		    sizeof(*costs) / sizeof(double), (double *)&c.mean);
	for (size_t i = 0; i < c.n; i++)
		for (size_t k = 0; k < GC_KINDS; k++)
			c.mean.gc[k].max_us =
				i ? fmax(c.mean.gc[k].max_us, costs[i].gc[k].max_us) : costs[0].gc[k].max_us;
	r->space_times[r->space_times_n++] = c;
	return NULL;
}

/* Does the cell run a workload? Then it has an interpreter. */
static bool is_workload(const struct cell *cell)
{
	struct known_spec known;

	return !cell_is(cell, METHOD_THRESHOLD) && !cell_known(cell, &known) &&
	       strcmp(cell->interpreter, "-") != 0;
}

/* Is b what a is, but for the workload "bare"? */
static bool is_bare_of(const struct cell *b, const struct cell *a)
{
	return b != a && strcmp(b->workload, "bare") == 0 &&
	       strcmp(b->threshold_key, a->threshold_key) == 0 && strcmp(b->activity, a->activity) == 0 &&
	       strcmp(b->method, a->method) == 0 && strcmp(b->interpreter, a->interpreter) == 0 &&
	       b->processes == a->processes && strcmp(b->launch, a->launch) == 0;
}

const struct cell *report_find_bare(const struct report *r, const struct cell *cell)
{
	for (size_t i = 0; i < r->cells_n; i++)
		if (is_bare_of(&r->cells[i], cell))
			return &r->cells[i];
	return NULL;
}

static void set_over_bare(const struct report *r, struct report_space_time *c)
{
	const struct cell *bare = report_find_bare(r, c->cell);
	const struct report_row *y = report_rows_of(r, c->cell), *y0 = bare ? report_rows_of(r, bare) : NULL;

	c->metrics = xcalloc(r->metrics_n, sizeof(*c->metrics));
	for (size_t i = 0; i < r->metrics_n; i++) {
		c->metrics[i] = NO_METRIC;
		if (y0)
			c->metrics[i].over_bare_kib = y[i].y_kib - y0[i].y_kib;
	}
	if (y0 && r->metrics_n && cell_is(c->cell, METHOD_DISPLACEMENT))
		c->zeq_over_bare_kib = y->z.kib - y0->z.kib;
}

/*
 * What a metric says of a workload on its way: the largest and the mean over its checkpoints, "load" among
 * them; of each probe, and of a cell the mean over its probes.
 */
static struct footprint_values fold(const struct report_probes *p, const struct footprint_values *values)
{
	struct footprint_values all = FOOTPRINT_NO_VALUES, max = FOOTPRINT_NO_VALUES;

	for (size_t i = p->first; i < p->first + p->n; i++) {
		if (!p->has_y[i - p->first] || !values[i].n)
			continue;
		footprint_add(&all, values[i].mean_kib);
		footprint_add(&max, values[i].max_kib);
	}
	all.max_kib = max.mean_kib;
	return all;
}

/* values: of each probe, by its number. */
static struct err *run_metric(struct report *r, struct query *q, size_t m, struct footprint_values *values)
{
	cleanup_free struct metric_value *found = NULL;
	size_t n;
	struct err *e = query_metric(q, &r->metrics[m], &found, &n);

	if (e)
		return e;
	for (size_t i = 0; i < r->probes_n; i++)
		values[i] = FOOTPRINT_NO_VALUES;
	for (size_t i = 0, number; i < n; i++)
		if (report_probe_number(r, found[i].probe_id, &number))
			footprint_add(&values[number], found[i].y_kib);
	for (size_t i = 0; i < r->space_times_n; i++) {
		struct report_space_time *c = &r->space_times[i];

		c->metrics[m].at_checkpoints = fold(&r->probes[c->cell - r->cells], values);
	}
	return NULL;
}

static struct err *add_checkpoints(struct store *store, struct report *r)
{
	cleanup(cleanup_views_) struct views *views = NULL;
	cleanup(cleanup_query_) struct query *q = NULL;
	cleanup_free struct footprint_values *values = xcalloc(r->probes_n, sizeof(*values));
	struct err *e = store_views(store, STORE_CHECKPOINTS, VIEWS_ALL, &views);

	if (!e && !views_rows(views, VIEW_SNAPSHOT))
		return NULL;
	if (!e)
		e = query_open(views, &q);
	for (size_t i = 0; !e && i < r->metrics_n; i++)
		e = run_metric(r, q, i, values);
	return e;
}

struct err *report_space_time_build(struct store *store, struct report *r)
{
	cleanup_free struct told *told = xcalloc(r->probes_n, sizeof(*told));
	struct err *e = read_told(store, r, told);

	r->space_times = xcalloc(r->cells_n, sizeof(*r->space_times));
	for (size_t i = 0; !e && i < r->cells_n; i++)
		if (is_workload(&r->cells[i]))
			e = add_cell(store, r, i, told);
	for (size_t i = 0; !e && i < r->space_times_n; i++)
		set_over_bare(r, &r->space_times[i]);
	return !e && r->space_times_n ? add_checkpoints(store, r) : e;
}

void report_space_time_free(struct report *r)
{
	for (size_t i = 0; i < r->space_times_n; i++)
		free(r->space_times[i].metrics);
	free(r->space_times);
}

/* Beside RAM: the tables of what a workload costs over its life, and their JSON. */

/* What the tables at checkpoints and over bare show; JSON has all. */
static const char *const shown[] = { "pss", "uss", "rss", "memcg_current" };

#define SHOWN (sizeof(shown) / sizeof(shown[0]))

/* "0: 230, 1: 20, 2: 3": means over probes whose counts of pauses do not differ by much. */
static void add_kinds(struct strbuf *out, const struct gc_pauses gc[GC_KINDS])
{
	const char *sep = "  ";

	for (enum gc_kind i = 0; i < GC_KINDS; i++) {
		if (isnan(gc[i].n))
			continue;
		strbuf_addf(out, "%s%s: %s", sep, gc_kind_name(i), format_fixed((char[32]){ 0 }, gc[i].n, 0));
		sep = ", ";
	}
}

/* Names of cells with a workload are too long for a column. */
#define OWN_LINE 2

static void add_life(struct strbuf *out, const struct report *r, const struct report_space_time *c)
{
	const struct report_costs *m = &c->mean;
	struct gc_pauses all = checkpoints_all_pauses(m->gc);

	table_cell(out, OWN_LINE, r, c->cell);
	strbuf_addf(out, "%9s%8s%9s%8s%9s%8s%10s%10s", MIB_TEXT(m->max_kib), MIB_TEXT(m->mean_kib),
		    NUMBER_TEXT(m->full_cpu_ms / 1000, "", ""), NUMBER_TEXT(m->full_wall_ms / 1000, "", ""),
		    NUMBER_TEXT(m->cpu_ms / 1000, "", ""), NUMBER_TEXT(m->wall_ms / 1000, "", ""),
		    NUMBER_TEXT(all.max_us / 1000, "", ""), NUMBER_TEXT(all.total_us / 1000, "", ""));
	add_kinds(out, m->gc);
	table_end_line(out, "");
}

static void add_lives(struct strbuf *out, const struct report *r)
{
	strbuf_adds(
		out,
		"\nBeside RAM: what a workload costs on its way, means over its probes\n\n"
		"      footprint MiB   s until full       s in all           pauses ms            pauses\n"
		"          max    mean      CPU    wall      CPU    wall   longest    in all  of each kind\n");
	for (size_t i = 0; i < r->space_times_n; i++)
		add_life(out, r, &r->space_times[i]);
	strbuf_adds(
		out,
		"\nfootprint: memory.current of the load. full: complete; in all: until its evidence. Seconds\n"
		"are of the guest, whose CPU may be emulated: those of one accel compare. pauses: what\n"
		"collectors stopped the workload for, as it tells itself.\n");
}

/* What the cell has of the metric of that name, if the report has that metric. */
static struct report_over_time find_metric(const struct report *r, const struct report_space_time *c,
					   const char *name)
{
	for (size_t i = 0; i < r->metrics_n; i++)
		if (strcmp(r->metrics[i].name, name) == 0)
			return c->metrics[i];
	return NO_METRIC;
}

/* Does some metric of the cell have a number for that table? */
static bool has_any(const struct report *r, const struct report_space_time *c, bool is_over_bare)
{
	for (size_t i = 0; i < r->metrics_n; i++)
		if (is_over_bare ? isfinite(c->metrics[i].over_bare_kib) : c->metrics[i].at_checkpoints.n)
			return true;
	return false;
}

static void add_head(struct strbuf *out, bool is_over_bare)
{
	strbuf_addf(out, "\n%s, in MiB\n\n  %-*s",
		    is_over_bare ? "Over bare: Y less that of the interpreter alone"
				 : "Over the checkpoints of a workload: largest and mean",
		    TABLE_LABEL, "");
	for (size_t i = 0; i < SHOWN; i++)
		strbuf_addf(out, "%*s", is_over_bare ? 15 : 16, shown[i]);
	strbuf_addf(out, "%*s\n", is_over_bare ? 12 : 0, is_over_bare ? "Zeq" : "");
}

/* Of each of the shown: what it has over bare, or max and mean at checkpoints. */
static void add_over_time(struct strbuf *out, const struct report *r, bool is_over_bare)
{
	bool is_headed = false;

	for (size_t i = 0; i < r->space_times_n; i++) {
		const struct report_space_time *c = &r->space_times[i];

		if (!has_any(r, c, is_over_bare))
			continue;
		if (!is_headed)
			add_head(out, is_over_bare);
		is_headed = true;
		table_cell(out, TABLE_LABEL, r, c->cell);
		for (size_t j = 0; j < SHOWN; j++) {
			struct report_over_time m = find_metric(r, c, shown[j]);

			if (is_over_bare)
				strbuf_addf(out, "%15s", MIB_TEXT(m.over_bare_kib));
			else
				strbuf_addf(out, "%8s%8s", MIB_TEXT(m.at_checkpoints.max_kib),
					    MIB_TEXT(m.at_checkpoints.mean_kib));
		}
		if (is_over_bare)
			strbuf_addf(out, "%12s", MIB_TEXT(c->zeq_over_bare_kib));
		table_end_line(out, "");
	}
}

void report_space_time_text(const struct report *r, struct strbuf *out)
{
	if (!r->space_times_n)
		return;
	add_lives(out, r);
	add_over_time(out, r, false);
	add_over_time(out, r, true);
}

static json_t *pauses_json(const struct gc_pauses *p)
{
	json_t *o = json_object();

	json_object_set_new(o, "n", format_json_fixed(p->n, 1));
	json_object_set_new(o, "total_ms", format_json_fixed(p->total_us / 1000, 3));
	json_object_set_new(o, "longest_ms", format_json_fixed(p->max_us / 1000, 3));
	return o;
}

/* The kinds that the interpreter has. */
static json_t *gc_json(const struct gc_pauses gc[GC_KINDS])
{
	struct gc_pauses all = checkpoints_all_pauses(gc);
	json_t *o = json_object();

	for (enum gc_kind i = 0; i < GC_KINDS; i++)
		if (!isnan(gc[i].n))
			json_object_set_new(o, gc_kind_name(i), pauses_json(&gc[i]));
	json_object_set_new(o, "all", pauses_json(&all));
	return o;
}

static json_t *metrics_json(const struct report *r, const struct report_space_time *c)
{
	json_t *array = json_array();

	for (size_t i = 0; i < r->metrics_n; i++) {
		const struct report_over_time *m = &c->metrics[i];
		json_t *o = json_object();

		json_object_set_new(o, "metric", format_json_string(r->metrics[i].name));
		members_set_mib(o, "checkpoints_max_mib", m->at_checkpoints.max_kib);
		members_set_mib(o, "checkpoints_mean_mib", m->at_checkpoints.mean_kib);
		members_set_mib(o, "over_bare_mib", m->over_bare_kib);
		json_array_append_new(array, o);
	}
	return array;
}

static json_t *one_json(const struct report *r, size_t n)
{
	const struct report_space_time *c = &r->space_times[n];
	const struct report_costs *m = &c->mean;
	json_t *o = json_object();

	members_set_cell(o, c->cell);
	json_object_set_new(o, "n", json_integer(c->n));
	members_set_mib(o, "footprint_max_mib", m->max_kib);
	members_set_mib(o, "footprint_mean_mib", m->mean_kib);
	json_object_set_new(o, "cpu_s", format_json_fixed(m->cpu_ms / 1000, 3));
	json_object_set_new(o, "wall_s", format_json_fixed(m->wall_ms / 1000, 3));
	json_object_set_new(o, "full_cpu_s", format_json_fixed(m->full_cpu_ms / 1000, 3));
	json_object_set_new(o, "full_wall_s", format_json_fixed(m->full_wall_ms / 1000, 3));
	json_object_set_new(o, "pauses", gc_json(m->gc));
	members_set_mib(o, "zeq_over_bare_mib", c->zeq_over_bare_kib);
	json_object_set_new(o, "metrics", metrics_json(r, c));
	return o;
}

json_t *report_space_time_json(const struct report *r)
{
	return members_array(r, r->space_times_n, one_json);
}
