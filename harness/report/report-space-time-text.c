/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/format.h"
#include "harness/campaign/campaign.h"
#include "harness/cell/cell-format.h"
#include "harness/report/report.h"
#include "harness/report/table.h"

/* Beside RAM: the tables of what a workload costs over its life, and their JSON. */

/* What the tables at checkpoints and over bare show; JSON has all. */
static const char *const shown[] = { "pss", "uss", "rss", "memcg_current" };

#define SHOWN (sizeof(shown) / sizeof(shown[0]))

/* A count of pauses: a mean over probes that do not differ by much. */
static void add_count(struct strbuf *out, double n)
{
	char text[32];

	strbuf_adds(out, format_fixed(text, n, 0));
}

/* "0: 230, 1: 20, 2: 3" */
static void add_kinds(struct strbuf *out, const struct gc_pauses gc[GC_KINDS])
{
	const char *sep = "  ";

	for (enum gc_kind i = 0; i < GC_KINDS; i++) {
		if (isnan(gc[i].n))
			continue;
		strbuf_addf(out, "%s%s: ", sep, gc_kind_name(i));
		add_count(out, gc[i].n);
		sep = ", ";
	}
}

/* Names of cells with a workload are too long for a column. */
#define OWN_LINE 2

static void add_life(struct strbuf *out, const struct report *r, const struct report_space_time *c)
{
	struct gc_pauses all = checkpoints_all_pauses(c->gc);

	table_cell(out, OWN_LINE, c->cell, r->cells, r->cells_n);
	table_mib(out, 9, c->max_kib);
	table_mib(out, 8, c->mean_kib);
	table_number(out, 9, c->full_cpu_ms / 1000, "", "");
	table_number(out, 8, c->full_wall_ms / 1000, "", "");
	table_number(out, 9, c->cpu_ms / 1000, "", "");
	table_number(out, 8, c->wall_ms / 1000, "", "");
	table_number(out, 10, all.max_us / 1000, "", "");
	table_number(out, 10, all.total_us / 1000, "", "");
	add_kinds(out, c->gc);
	table_end_line(out, "");
}

static void add_lives(struct strbuf *out, const struct report *r)
{
	strbuf_adds(
		out,
		"\nBeside RAM: what a workload costs on its way, means over its probes\n\n"
		"      footprint MiB   s until full       s in all           pauses ms            pauses\n"
		"          max    mean      CPU    wall      CPU    wall   longest    in all  of each "
		"kind\n");
	for (size_t i = 0; i < r->space_times_n; i++)
		add_life(out, r, &r->space_times[i]);
	strbuf_adds(out,
		    "\nfootprint: memory.current of the load. full: complete; in all: until its evidence. "
		    "Seconds\n"
		    "are of the guest, whose CPU may be emulated: those of one accel compare. pauses: what\n"
		    "collectors stopped the workload for, as it tells itself.\n");
}

static const struct report_over_time *find_metric(const struct report_space_time *c, const char *name)
{
	for (size_t i = 0; i < c->metrics_n; i++)
		if (strcmp(c->metrics[i].name, name) == 0)
			return &c->metrics[i];
	return NULL;
}

static bool has_checkpoints(const struct report_space_time *c)
{
	for (size_t i = 0; i < c->metrics_n; i++)
		if (c->metrics[i].at_checkpoints.n)
			return true;
	return false;
}

static bool has_bare(const struct report_space_time *c)
{
	for (size_t i = 0; i < c->metrics_n; i++)
		if (isfinite(c->metrics[i].over_bare_kib))
			return true;
	return false;
}

static void add_names(struct strbuf *out, int width)
{
	strbuf_addf(out, "  %-*s", TABLE_LABEL, "");
	for (size_t i = 0; i < SHOWN; i++)
		strbuf_addf(out, "%*s", width, shown[i]);
}

/* max and mean of each of the shown */
static void add_checkpoints(struct strbuf *out, const struct report *r)
{
	bool is_headed = false;

	for (size_t i = 0; i < r->space_times_n; i++) {
		const struct report_space_time *c = &r->space_times[i];

		if (!has_checkpoints(c))
			continue;
		if (!is_headed) {
			strbuf_adds(out,
				    "\nOver the checkpoints of a workload: largest and mean, in MiB\n\n");
			add_names(out, 16);
			strbuf_adds(out, "\n");
		}
		is_headed = true;
		table_cell(out, TABLE_LABEL, c->cell, r->cells, r->cells_n);
		for (size_t j = 0; j < SHOWN; j++) {
			const struct report_over_time *m = find_metric(c, shown[j]);

			table_mib(out, 8, m ? m->at_checkpoints.max_kib : (double)NAN);
			table_mib(out, 8, m ? m->at_checkpoints.mean_kib : (double)NAN);
		}
		table_end_line(out, "");
	}
}

static void add_over_bare(struct strbuf *out, const struct report *r)
{
	bool is_headed = false;

	for (size_t i = 0; i < r->space_times_n; i++) {
		const struct report_space_time *c = &r->space_times[i];

		if (!has_bare(c))
			continue;
		if (!is_headed) {
			strbuf_adds(out, "\nOver bare: Y less that of the interpreter alone, in MiB\n\n");
			add_names(out, 15);
			strbuf_addf(out, "%12s\n", "Zeq");
		}
		is_headed = true;
		table_cell(out, TABLE_LABEL, c->cell, r->cells, r->cells_n);
		for (size_t j = 0; j < SHOWN; j++) {
			const struct report_over_time *m = find_metric(c, shown[j]);

			table_number(out, 15, m ? m->over_bare_kib / 1024 : (double)NAN, "", "");
		}
		table_mib(out, 12, c->zeq_over_bare_kib);
		table_end_line(out, "");
	}
}

void report_space_time_text(const struct report *r, struct strbuf *out)
{
	if (!r->space_times_n)
		return;
	add_lives(out, r);
	add_checkpoints(out, r);
	add_over_bare(out, r);
}

static json_t *pauses_json(const struct gc_pauses *p)
{
	json_t *o = json_object();

	json_object_set_new(o, "n", format_json_fixed(p->n, 1));
	json_object_set_new(o, "total_ms", format_json_fixed(p->total_us / 1000, 3));
	json_object_set_new(o, "longest_ms", format_json_fixed(p->max_us / 1000, 3));
	return o;
}

/* Of kinds that the interpreter has. */
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

static json_t *metrics_json(const struct report_space_time *c)
{
	json_t *array = json_array();

	for (size_t i = 0; i < c->metrics_n; i++) {
		const struct report_over_time *m = &c->metrics[i];
		json_t *o = json_object();

		json_object_set_new(o, "metric", format_json_string(m->name));
		report_set_mib(o, "checkpoints_max_mib", m->at_checkpoints.max_kib);
		report_set_mib(o, "checkpoints_mean_mib", m->at_checkpoints.mean_kib);
		report_set_mib(o, "over_bare_mib", m->over_bare_kib);
		json_array_append_new(array, o);
	}
	return array;
}

static json_t *one_json(const struct report_space_time *c)
{
	json_t *o = json_object();

	report_set_cell(o, c->cell);
	json_object_set_new(o, "n", json_integer(c->n));
	report_set_mib(o, "footprint_max_mib", c->max_kib);
	report_set_mib(o, "footprint_mean_mib", c->mean_kib);
	json_object_set_new(o, "cpu_s", format_json_fixed(c->cpu_ms / 1000, 3));
	json_object_set_new(o, "wall_s", format_json_fixed(c->wall_ms / 1000, 3));
	json_object_set_new(o, "full_cpu_s", format_json_fixed(c->full_cpu_ms / 1000, 3));
	json_object_set_new(o, "full_wall_s", format_json_fixed(c->full_wall_ms / 1000, 3));
	json_object_set_new(o, "pauses", gc_json(c->gc));
	report_set_mib(o, "zeq_over_bare_mib", c->zeq_over_bare_kib);
	json_object_set_new(o, "metrics", metrics_json(c));
	return o;
}

json_t *report_space_time_json(const struct report *r)
{
	json_t *array = json_array();

	for (size_t i = 0; i < r->space_times_n; i++)
		json_array_append_new(array, one_json(&r->space_times[i]));
	return array;
}
