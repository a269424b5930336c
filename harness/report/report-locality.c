/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/cell/cell-format.h"
#include "harness/report/report-parts.h"

/*
 * What of an interpreter's binary its processes have touched: does a large binary cost RAM, or only what is
 * used of it, and is that close together? See calibrate/evidence/locality.h for what "touched" can mean.
 */

/* One process. */
struct found {
	int64_t probe_id;
	bool is_onset; /* it was looked at then; else at rest */
	struct locality l;
};

struct reader {
	struct found *v;
	size_t n, cap;
	/* The mappings of the process at hand, whose page runs come after them. */
	int64_t snapshot_id;
	unsigned pid;
	struct strbuf smaps;
};

static void take_process(struct reader *r, const struct store_content *c)
{
	struct found found = { .probe_id = c->probe_id, .is_onset = strcmp(c->snapshot, "onset") == 0 };
	const struct found *last = r->n ? &r->v[r->n - 1] : NULL;

	/* A population was looked at while it was at rest; its onset tells less. */
	if (last && last->probe_id == found.probe_id && !last->is_onset && found.is_onset)
		return;
	if (r->smaps.len && locality_read(r->smaps.data, r->smaps.len, c->data, c->len, &found.l))
		*array_push(r->v, r->n, r->cap) = found;
}

static void on_content(void *arg, const struct store_content *c)
{
	struct reader *r = arg;
	bool is_smaps = strcmp(c->name, "smaps") == 0;

	if (!c->pid)
		return;
	/* A process without page runs says nothing about locality and is left out. */
	if (is_smaps) {
		strbuf_clear(&r->smaps);
		strbuf_add(&r->smaps, c->data, c->len);
		r->snapshot_id = c->snapshot_id;
		r->pid = c->pid;
	} else if (r->snapshot_id == c->snapshot_id && r->pid == c->pid) {
		take_process(r, c);
		strbuf_clear(&r->smaps);
	}
}

/* Does a run more text than b? */
static bool is_larger(const struct locality *a, const struct locality *b)
{
	return a->parts[LOCALITY_TEXT].mapped_kib > b->parts[LOCALITY_TEXT].mapped_kib;
}

/* Does the process say something of that cell? */
static bool is_of(const struct report *r, const struct report_probes *p, const struct found *found)
{
	size_t number;

	return report_probe_number(r, found->probe_id, &number) && number >= p->first &&
	       number < p->first + p->n && p->has_y[number - p->first];
}

/* Takes the processes of a cell that run the file with the most text: not the shell that started them. */
static void add_cell(struct report *r, const struct cell *cell, const struct reader *reader)
{
	cleanup_free struct locality *all = xcalloc(reader->n, sizeof(*all));
	struct report_locality c = { .cell = cell };

	for (size_t i = 0; i < reader->n; i++) {
		const struct found *found = &reader->v[i];

		if (!is_of(r, &r->probes[cell - r->cells], found))
			continue;
		if (c.n && strcmp(all[0].file, found->l.file) != 0) {
			if (!is_larger(&found->l, &all[0]))
				continue;
			c.n = 0;
		}
		c.is_onset = found->is_onset;
		all[c.n++] = found->l;
	}
	if (!c.n)
		return;
	c.mean = locality_mean(all, c.n);
	r->localities[r->localities_n++] = c;
}

struct err *report_locality_build(struct store *store, struct report *r)
{
	static const char *const names[] = { "smaps", "pagemap", NULL };
	struct reader reader = { .n = 0 };
	struct err *e = NULL;

	r->localities = xcalloc(r->cells_n, sizeof(*r->localities));
	/* Only workloads have an interpreter; r->space_times lists their cells. */
	if (r->space_times_n)
		e = store_each_content(store, STORE_JUDGED, names, on_content, &reader);
	for (size_t i = 0; !e && i < r->space_times_n; i++)
		add_cell(r, r->space_times[i].cell, &reader);
	strbuf_deinit(&reader.smaps);
	free(reader.v);
	return e;
}

/* The same of the interpreter alone; NULL when there is none. */
static const struct locality *find_bare(const struct report *r, const struct report_locality *c)
{
	const struct cell *bare = report_find_bare(r, c->cell);

	for (size_t i = 0; i < r->localities_n; i++)
		if (r->localities[i].cell == bare && strcmp(r->localities[i].mean.file, c->mean.file) == 0)
			return &r->localities[i].mean;
	return NULL;
}

static double percent(double x, double all)
{
	return all > 0 ? 100 * x / all : (double)NAN;
}

static void add_part(struct strbuf *out, const char *name, const struct locality_part *p,
		     const struct locality_part *bare)
{
	strbuf_addf(out, "    %-9s%8s%9s%9s%10s%9s%8s%8s%10s%9s", name, MIB_TEXT(p->mapped_kib),
		    MIB_TEXT(p->touched_kib), NUMBER_TEXT(percent(p->touched_kib, p->mapped_kib), "", " %"),
		    MIB_TEXT(p->least_kib), MIB_TEXT(p->dirtied_kib), NUMBER_TEXT(p->runs, "", ""),
		    NUMBER_TEXT(p->run_pages * 4, "", ""), MIB_TEXT(bare ? bare->touched_kib : (double)NAN),
		    MIB_TEXT(bare ? bare->dirtied_kib : (double)NAN));
	table_end_line(out, "");
}

/* Does a large binary cost RAM? */
static void add_answer(struct strbuf *out, const struct report_locality *c, const struct locality_part *all)
{
	strbuf_addf(
		out,
		"    Of %s MiB %s %s; %s cost it in each process,\n    %s once for all of them%s; used for sure: %s.\n",
		MIB_TEXT(all->mapped_kib), MIB_TEXT(all->mapped_kib - all->touched_kib),
		c->is_onset ? "are not in RAM, or not any more" : "are not touched and cost no RAM",
		MIB_TEXT(all->dirtied_kib), MIB_TEXT(all->touched_kib - all->dirtied_kib),
		c->is_onset ? "" : ", until it is dropped", MIB_TEXT(all->least_kib));
}

static void add_one(struct strbuf *out, const struct report *r, const struct report_locality *c)
{
	const struct locality *bare = find_bare(r, c);
	struct locality_part all = locality_sum(&c->mean), bare_all = locality_sum(bare ? bare : &c->mean);

	strbuf_adds(out, "\n  ");
	table_name(out, r, c->cell);
	strbuf_adds(out, "\n    ");
	format_clean(out, c->mean.file);
	strbuf_addf(out, ", %s, mean of %u process%s\n", c->is_onset ? "at onset" : "at rest", c->n,
		    c->n == 1 ? "" : "es");
	for (enum locality_part_name i = 0; i < LOCALITY_PARTS; i++)
		add_part(out, locality_part_name(i), &c->mean.parts[i], bare ? &bare->parts[i] : NULL);
	add_part(out, "all", &all, bare ? &bare_all : NULL);
	add_answer(out, c, &all);
}

void report_locality_text(const struct report *r, struct strbuf *out)
{
	if (!r->localities_n)
		return;
	strbuf_adds(
		out,
		"\nStatic memory: what of an interpreter's binary is touched, in MiB\n\n"
		"                                       used at                   KiB of      of bare:\n"
		"               mapped  touched             least  written    runs    each   touched  written\n");
	for (size_t i = 0; i < r->localities_n; i++)
		add_one(out, r, &r->localities[i]);
	strbuf_adds(
		out,
		"\ntouched: in the page table, or in swap. The kernel maps what the page cache has beside a\n"
		"page that is asked for, up to 64 KiB. used at least: a page of each 64 KiB, and what is\n"
		"written. runs: touched pages without a gap.\n");
}

static json_t *part_json(const struct locality_part *p)
{
	json_t *o = json_object();

	members_set_mib(o, "mapped_mib", p->mapped_kib);
	members_set_mib(o, "touched_mib", p->touched_kib);
	json_object_set_new(o, "touched_pct", format_json_fixed(percent(p->touched_kib, p->mapped_kib), 1));
	members_set_mib(o, "used_at_least_mib", p->least_kib);
	members_set_mib(o, "written_mib", p->dirtied_kib);
	members_set_mib(o, "referenced_mib", p->referenced_kib);
	members_set_mib(o, "active_mib", p->active_kib);
	json_object_set_new(o, "runs", format_json_fixed(p->runs, 1));
	json_object_set_new(o, "run_kib", format_json_fixed(p->run_pages * 4, 1));
	return o;
}

static json_t *one_json(const struct report *r, size_t n)
{
	const struct report_locality *c = &r->localities[n];
	json_t *o = json_object();

	members_set_cell(o, c->cell);
	json_object_set_new(o, "snapshot", json_string(c->is_onset ? "onset" : "load"));
	json_object_set_new(o, "file", format_json_string(c->mean.file));
	json_object_set_new(o, "n", json_integer(c->n));
	for (enum locality_part_name i = 0; i < LOCALITY_PARTS; i++)
		json_object_set_new(o, locality_part_name(i), part_json(&c->mean.parts[i]));
	return o;
}

json_t *report_locality_json(const struct report *r)
{
	return members_array(r, r->localities_n, one_json);
}
