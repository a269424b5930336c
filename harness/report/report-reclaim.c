/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/cell/cell-format.h"
#include "harness/report/report-parts.h"

/*
 * Which way reclaim went in each cell: calibrate/evidence/reclaim.h over its probes. What it says of one
 * probe hangs on the moment at which the onset was seen, so a search of thousands tells no more than its
 * first probes.
 */
#define PROBES_MAX 64

/* Where the evidence of a probe is. */
struct place {
	const struct views *views; /* NULL: there is none */
	size_t row;                /* of the view snapshot */
};

/* Sets the places of the snapshots "onset", of which a probe has one, by the numbers of the probes. */
static void find_places(const struct report *r, const struct views *views, struct place *places)
{
	int64_t text = views_text_find(views, "onset", strlen("onset"));
	int probe = view_column_find(VIEW_SNAPSHOT, "probe_id");
	int name = view_column_find(VIEW_SNAPSHOT, "name");

	for (size_t i = 0; text != VIEW_NULL && i < views_rows(views, VIEW_SNAPSHOT); i++) {
		const int64_t *row = views_row(views, VIEW_SNAPSHOT, i);
		size_t number;

		if (row[name] == text && report_probe_number(r, row[probe], &number))
			places[number] = (struct place){ views, i };
	}
}

static enum reclaim_owners owners_of(const struct cell *cell)
{
	if (cell_is(cell, METHOD_THRESHOLD))
		return RECLAIM_ALL_BALLAST;
	return cell_is(cell, METHOD_DISPLACEMENT) ? RECLAIM_BY_NAME : RECLAIM_ALL_LOAD;
}

static struct err *read_probe(struct store *store, const struct cell *cell, const struct probe_record *probe,
			      const struct place *place, struct reclaim *ret)
{
	cleanup_free struct proto_sample *samples = NULL;
	size_t n;
	struct err *e = store_samples(store, probe->id, &samples, &n);

	if (e)
		return e;
	*ret = reclaim_unknown();
	reclaim_add_series(ret, samples, n, probe->onset_t_us);
	if (place->views)
		reclaim_add_evidence(ret, place->views, place->row, owners_of(cell));
	return NULL;
}

/* As for Y, a ramp is left out: its evidence is taken while the ballast grows. */
static bool is_taken(const struct probe_record *probe)
{
	return probe->outcome == OUTCOME_ONSET && probe->kind != PROBE_RAMP;
}

static struct err *add_cell(struct store *store, struct report *r, size_t cell, const struct place *places)
{
	const struct report_probes *p = &r->probes[cell];
	struct reclaim all[PROBES_MAX];
	size_t taken = 0;
	struct err *e = NULL;

	for (size_t i = 0; !e && i < p->n && taken < PROBES_MAX; i++)
		if (is_taken(&p->v[i]))
			e = read_probe(store, &r->cells[cell], &p->v[i], &places[p->first + i],
				       &all[taken++]);
	if (!e && taken)
		r->reclaims[r->reclaims_n++] = (struct report_reclaim){ .cell = &r->cells[cell],
									.mean = reclaim_mean(all, taken),
									.n = (unsigned)taken };
	return e;
}

static const struct report_reclaim *find_cell(const struct report *r, const char *key)
{
	for (size_t i = 0; i < r->reclaims_n; i++)
		if (strcmp(r->reclaims[i].cell->key, key) == 0)
			return &r->reclaims[i];
	return NULL;
}

/* Compares each cell with the ballast of its guest. */
static void judge(struct report *r)
{
	for (size_t i = 0; i < r->reclaims_n; i++) {
		const struct report_reclaim *ballast = find_cell(r, r->reclaims[i].cell->threshold_key);

		r->reclaims[i].is_other_way =
			ballast && reclaim_is_other_way(&r->reclaims[i].mean, &ballast->mean);
	}
	for (size_t i = 0; i < r->rows_n; i++) {
		const struct report_reclaim *c = find_cell(r, r->rows[i].cell->key);

		if (c && c->is_other_way)
			flags_add(&r->rows[i].flags, "other-way");
	}
}

struct err *report_reclaim_build(struct store *store, struct report *r)
{
	cleanup(cleanup_views_) struct views *judged = NULL, *onset = NULL;
	cleanup_free struct place *places = xcalloc(r->probes_n, sizeof(*places));
	struct err *e = store_views(store, STORE_JUDGED, RECLAIM_VIEWS, &judged);

	if (!e)
		e = store_views(store, STORE_ONSET, RECLAIM_VIEWS, &onset);
	if (e)
		return e;
	find_places(r, judged, places);
	/* Probes with a load at rest are judged by that; their onset is here. */
	find_places(r, onset, places);
	r->reclaims = xcalloc(r->cells_n, sizeof(*r->reclaims));
	for (size_t i = 0; !e && i < r->cells_n; i++)
		e = add_cell(store, r, i, places);
	if (!e)
		judge(r);
	return e;
}

static void add_line(struct strbuf *out, const struct report *r, const struct report_reclaim *c)
{
	const struct reclaim *m = &c->mean;

	table_cell(out, TABLE_LABEL, r, c->cell);
	strbuf_addf(out, "%6s%8s%8s%6s%6s%8s%6s%8s%6s%3u", MIB_TEXT(m->file_peak_kib),
		    NUMBER_TEXT(m->dropped_pct, "", " %"), MIB_TEXT(m->dropped_kib), MIB_TEXT(m->refault_kib),
		    MIB_TEXT(m->lazyfreed_kib), MIB_TEXT(m->swapped_kib), MIB_TEXT(m->load_swap_kib),
		    MIB_TEXT(m->ballast_swap_kib), MIB_TEXT(m->rest_swap_kib), c->n);
	table_end_line(out, c->is_other_way ? "other-way" : "");
}

void report_reclaim_text(const struct report *r, struct strbuf *out)
{
	bool has_other = false;

	if (!r->reclaims_n)
		return;
	strbuf_addf(out,
		    "\nWhich way reclaim went until onset, in MiB\n\n"
		    "  %-*s  file pages               read  lazy            in swap, whose\n"
		    "  %-*s  most    gone dropped again freed swapped  load ballast  rest  n\n",
		    TABLE_LABEL, "", TABLE_LABEL, "");
	for (size_t i = 0; i < r->reclaims_n; i++) {
		add_line(out, r, &r->reclaims[i]);
		has_other |= r->reclaims[i].is_other_way;
	}
	strbuf_adds(
		out,
		"\nmost: at the largest moment. gone: of these, dropped by the onset. read again: text and\n"
		"data that were needed after all. swapped: written by the onset; whose: in the evidence, some\n"
		"ticks later.\n");
	if (has_other)
		strbuf_adds(
			out,
			"other-way: room was made by dropping what files or lazy freeing held, and not by\n"
			"swapping as with the ballast: Y at onset lacks what was dropped before.\n");
}

static json_t *one_json(const struct report *r, size_t n)
{
	const struct report_reclaim *c = &r->reclaims[n];
	const struct reclaim *m = &c->mean;
	json_t *o = json_object();

	members_set_cell(o, c->cell);
	json_object_set_new(o, "n", json_integer(c->n));
#define X(name) members_set_mib(o, #name "_mib", m->name##_kib);
	RECLAIM_SIZES(X)
#undef X
	json_object_set_new(o, "dropped_pct", format_json_fixed(m->dropped_pct, 1));
	json_object_set_new(o, "given_up_pct", format_json_fixed(m->given_up_pct, 1));
	json_object_set_new(o, "majfaults", format_json_fixed(m->majfaults, 1));
	json_object_set_new(o, "allocstalls", format_json_fixed(m->allocstalls, 1));
	json_object_set_new(o, "is_other_way", json_boolean(c->is_other_way));
	return o;
}

json_t *report_reclaim_json(const struct report *r)
{
	return members_array(r, r->reclaims_n, one_json);
}
