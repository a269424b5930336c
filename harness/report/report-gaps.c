/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "harness/base/alloc.h"
#include "harness/cell/cell-search.h"
#include "harness/report/report-parts.h"

/* What was asked for and has no value, and probes that were lost on the way. */

static struct report_gap *add_gap(struct report *r, const struct cell *cell, unsigned replicate,
				  const char *what, char *reason)
{
	struct report_gap *gap = array_push(r->gaps, r->gaps_n, r->gaps_cap);

	gap->cell = cell;
	gap->replicate = replicate;
	gap->what = what;
	gap->reason = reason;
	return gap;
}

static char *unstable_reason(const struct search_estimate *e)
{
	double half_kib = (e->ci_kib.hi - e->ci_kib.lo) / 2;

	if (!isfinite(half_kib))
		return xasprintf(
			"may be beyond the largest ballast, after %u probes; more replicates ask again",
			e->answers);
	return xasprintf("known within %.1f MiB after %u probes; more replicates ask again", half_kib / 1024,
			 e->answers);
}

static char *no_threshold_reason(const struct cell *cell)
{
	if (cell_is(cell, METHOD_RAM))
		return xasprintf("no guest swapped down to %u MiB", cell->x_lo_mib);
	return xasprintf("nothing swapped up to %llu MiB",
			 (unsigned long long)cell_search_params(cell).hi_kib / 1024);
}

static void find_search_gap(struct report *r, const struct cell *cell, unsigned replicate,
			    const struct search_next *s)
{
	switch (s->step) {
	case SEARCH_DONE:
		if (cell_is(cell, METHOD_RAM) && s->estimate.answers && !s->estimate.bracket_lo_kib)
			add_gap(r, cell, replicate, "no-threshold",
				xasprintf("every guest swapped up to %u MiB", cell->x_hi_mib));
		break;
	case SEARCH_RAMP:
	case SEARCH_PROBE:
		add_gap(r, cell, replicate, "unfinished", xstrdup("the search has not come to its end"));
		break;
	case SEARCH_NO_THRESHOLD:
		add_gap(r, cell, replicate, "no-threshold", no_threshold_reason(cell));
		break;
	case SEARCH_UNSTABLE:
		add_gap(r, cell, replicate, "unstable", unstable_reason(&s->estimate));
		break;
	}
}

/* "fixed 120 MiB: why" */
static char *probe_reason(const struct probe_record *p)
{
	const char *why = *p->reason ? p->reason : "no reason was recorded";

	if (p->kind == PROBE_FIXED || p->kind == PROBE_RAM)
		return xasprintf("%s at %llu MiB: %s", probe_kind_name(p->kind),
				 (unsigned long long)p->z_kib / 1024, why);
	return xasprintf("%s: %s", probe_kind_name(p->kind), why);
}

static void find_gaps(struct report *r, const struct cell *cell, const struct report_probes *p)
{
	unsigned not_started = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct probe_record *o = &p->v[i];

		if (!outcome_is_answer(o->outcome))
			add_gap(r, cell, o->replicate, outcome_name(o->outcome), probe_reason(o))->probe_id =
				o->id;
		else if (!p->is_search && o->outcome == OUTCOME_NO_ONSET)
			add_gap(r, cell, o->replicate, "no-onset",
				xstrdup(*o->reason ? o->reason : "the guest did not swap"))
				->probe_id = o->id;
	}
	for (unsigned i = 0; i < cell->replicates; i++) {
		if (!p->replicates[i].probes)
			not_started++;
		else if (p->is_search)
			find_search_gap(r, cell, i, &p->replicates[i].search);
	}
	if (not_started)
		add_gap(r, cell, 0, "not-started",
			xasprintf("%u of %u replicates", not_started, cell->replicates));
}

void report_gaps_find(struct report *r)
{
	for (size_t i = 0; i < r->cells_n; i++)
		find_gaps(r, &r->cells[i], &r->probes[i]);
}

void report_gaps_text(const struct report *r, struct strbuf *out)
{
	if (!r->gaps_n)
		return;
	strbuf_adds(out, "\nNot measured, or lost on the way\n\n");
	for (size_t i = 0; i < r->gaps_n; i++) {
		const struct report_gap *gap = &r->gaps[i];

		strbuf_adds(out, "  ");
		table_name(out, r, gap->cell);
		strbuf_addf(out, ": %s", gap->what);
		if (gap->probe_id)
			strbuf_addf(out, " (probe %lld)", (long long)gap->probe_id);
		strbuf_adds(out, ": ");
		format_clean(out, gap->reason);
		strbuf_adds(out, "\n");
	}
}

static json_t *gap_json(const struct report *r, size_t n)
{
	const struct report_gap *gap = &r->gaps[n];
	json_t *object = json_object();

	json_object_set_new(object, "cell", members_cell_id(gap->cell));
	json_object_set_new(object, "what", json_string(gap->what));
	members_set_count(object, "replicate", gap->replicate);
	json_object_set_new(object, "probe", gap->probe_id ? json_integer(gap->probe_id) : json_null());
	json_object_set_new(object, "reason", format_json_string(gap->reason));
	return object;
}

json_t *report_gaps_json(const struct report *r)
{
	return members_array(r, r->gaps_n, gap_json);
}
