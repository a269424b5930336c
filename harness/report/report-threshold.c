/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/campaign/campaign.h"
#include "harness/cell/cell-search.h"
#include "harness/cell/cell.h"
#include "harness/report/report.h"

static bool has_flag(const char *flags, const char *name, size_t len)
{
	for (const char *p = flags; *p;) {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, name, len) == 0)
			return true;
		p += n + (p[n] == ',');
	}
	return false;
}

void report_add_flags(char **flags, const char *names)
{
	for (const char *p = names; *p;) {
		size_t n = strcspn(p, ",");

		if (n && !has_flag(*flags, p, n)) {
			char *joined = xasprintf("%s%s%.*s", *flags, **flags ? "," : "", (int)n, p);

			free(*flags);
			*flags = joined;
		}
		p += n + (p[n] == ',');
	}
}

static bool has_lo(const struct search_estimate *e)
{
	return e->bracket_lo_kib > 0;
}

static bool has_hi(const struct search_estimate *e)
{
	return e->bracket_hi_kib < UINT64_MAX;
}

static const char *flags_of(const struct search_next *s)
{
	if (s->step == SEARCH_NO_THRESHOLD)
		return "no-threshold";
	if (s->step == SEARCH_UNSTABLE)
		return "unstable-threshold";
	if (s->step == SEARCH_DONE)
		return "";
	return has_lo(&s->estimate) && has_hi(&s->estimate) ? "z-unfinished" : "z-open";
}

/* Has anything been answered in this replicate? */
static bool has_answer(unsigned replicate, const struct probe_record *probes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (probes[i].replicate == replicate && outcome_is_answer(probes[i].outcome))
			return true;
	return false;
}

/* What the single searches came to: their flags, how many found both sides, and whether they mean the same
 * Z*. */
static void judge_searches(const struct cell *cell, const struct probe_record *probes, size_t n,
			   struct report_threshold *t)
{
	struct interval common = { -INFINITY, INFINITY };

	for (unsigned i = 0; i < cell->replicates; i++) {
		if (!has_answer(i, probes, n))
			continue;

		struct search_next s = cell_search(cell, i, probes, n);

		report_add_flags(&t->flags, flags_of(&s));
		/* A guest that always swaps has no lower side, and a Z* all the same. */
		if (s.step == SEARCH_NO_THRESHOLD ||
		    (s.step != SEARCH_DONE && !(has_lo(&s.estimate) && has_hi(&s.estimate))))
			continue;
		t->n++;
		common.lo = fmax(common.lo, s.estimate.ci_kib.lo);
		common.hi = fmin(common.hi, s.estimate.ci_kib.hi);
	}
	if (common.lo > common.hi)
		report_add_flags(&t->flags, "searches-disagree");
}

static void check(const struct probe_record *probes, size_t n, struct report_threshold *t)
{
	size_t answers_n;
	cleanup_free struct search_probe *answers =
		cell_search_probes(t->cell, CELL_EVERY_REPLICATE, probes, n, &answers_n);

	threshold_check(answers, answers_n, &t->estimate, REPORT_SEED, &t->check);
	if (t->check.is_contrary)
		report_add_flags(&t->flags, "estimators-disagree");
}

/*
 * All searches together: each Z was asked in a guest of its own, so their answers are of one kind. What the
 * searches differ by is among what the estimate takes as the spread from boot to boot.
 */
void report_threshold_compute(const struct cell *cell, const struct probe_record *probes, size_t n,
			      struct report_threshold *t)
{
	t->cell = cell;
	t->z_kib = t->z_lo_kib = t->z_hi_kib = NAN;
	t->check.logistic.ed50 = t->check.isotonic.ed50 = NAN;
	t->check.logistic.profile = t->check.isotonic.ci = INTERVAL_NONE;
	t->flags = xstrdup("");
	for (size_t i = 0; i < n; i++)
		*(outcome_is_answer(probes[i].outcome) ? &t->answers : &t->lost) += 1;
	judge_searches(cell, probes, n, t);
	t->estimate = cell_search(cell, CELL_EVERY_REPLICATE, probes, n).estimate;
	if (t->n) {
		t->z_kib = t->estimate.z_kib;
		t->z_lo_kib = t->estimate.ci_kib.lo;
		t->z_hi_kib = t->estimate.ci_kib.hi;
		check(probes, n, t);
	} else if (!strstr(t->flags, "no-threshold")) {
		/* One side is better than none, and the flag says what it is. */
		t->z_lo_kib = has_lo(&t->estimate) ? (double)t->estimate.bracket_lo_kib : (double)NAN;
		t->z_hi_kib = has_hi(&t->estimate) ? (double)t->estimate.bracket_hi_kib : (double)NAN;
	}
	if (!*t->flags && !t->n)
		report_add_flags(&t->flags, "z-missing");
}

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
		return xasprintf("no guest swapped down to %u MiB", cell_uint(cell, "x_lo_mib"));
	return xasprintf("nothing swapped up to %llu MiB",
			 (unsigned long long)cell_search_params(cell).hi_kib / 1024);
}

static void find_search_gap(struct report *r, const struct cell *cell, unsigned replicate,
			    const struct probe_record *probes, size_t n)
{
	struct search_next s = cell_search(cell, replicate, probes, n);

	switch (s.step) {
	case SEARCH_DONE:
		if (report_ram_is_beyond(cell, &s.estimate))
			add_gap(r, cell, replicate, "no-threshold",
				xasprintf("every guest swapped up to %u MiB", cell_uint(cell, "x_hi_mib")));
		break;
	case SEARCH_RAMP:
	case SEARCH_PROBE:
		add_gap(r, cell, replicate, "unfinished", xstrdup("the search has not come to its end"));
		break;
	case SEARCH_NO_THRESHOLD:
		add_gap(r, cell, replicate, "no-threshold", no_threshold_reason(cell));
		break;
	case SEARCH_UNSTABLE:
		add_gap(r, cell, replicate, "unstable", unstable_reason(&s.estimate));
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

void report_find_gaps(struct report *r, const struct cell *cell, const struct probe_record *probes, size_t n)
{
	bool is_search = cell_is(cell, METHOD_THRESHOLD) || cell_is(cell, METHOD_RAM);
	unsigned not_started = 0;

	for (size_t i = 0; i < n; i++) {
		const struct probe_record *p = &probes[i];

		if (!outcome_is_answer(p->outcome))
			add_gap(r, cell, p->replicate, outcome_name(p->outcome), probe_reason(p))->probe_id =
				p->id;
		else if (!is_search && p->outcome == OUTCOME_NO_ONSET)
			add_gap(r, cell, p->replicate, "no-onset",
				xstrdup(*p->reason ? p->reason : "the guest did not swap"))
				->probe_id = p->id;
	}
	for (unsigned i = 0; i < cell->replicates; i++) {
		size_t j = 0;

		while (j < n && probes[j].replicate != i)
			j++;
		if (j == n)
			not_started++;
		else if (is_search)
			find_search_gap(r, cell, i, probes, n);
	}
	if (not_started)
		add_gap(r, cell, 0, "not-started",
			xasprintf("%u of %u replicates", not_started, cell->replicates));
}
