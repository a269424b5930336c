/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/base/cleanup.h"
#include "harness/campaign.h"
#include "harness/report.h"

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

static bool has_lo(const struct search_next *s)
{
	return s->lo_kib > 0;
}

static bool has_hi(const struct search_next *s)
{
	return s->hi_kib < UINT64_MAX;
}

static const char *flags_of(const struct search_next *s)
{
	if (s->step == SEARCH_NO_THRESHOLD)
		return "no-threshold";
	if (s->step == SEARCH_UNSTABLE)
		return "unstable-threshold";
	if (!has_lo(s) || !has_hi(s))
		return "z-open";
	return s->step == SEARCH_DONE ? "" : "z-unfinished";
}

/* Widens [*lo, *hi] (NAN: nothing yet) by the sides that a search has. */
static void widen(double *lo, double *hi, const struct search_next *s)
{
	if (has_lo(s))
		*lo = fmin(*lo, (double)s->lo_kib);
	if (has_hi(s))
		*hi = fmax(*hi, (double)s->hi_kib);
}

/* Has anything been answered in this replicate? */
static bool has_answer(unsigned replicate, const struct probe_record *probes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (probes[i].replicate == replicate && outcome_is_answer(probes[i].outcome))
			return true;
	return false;
}

void report_threshold_compute(const struct cell *cell, const struct probe_record *probes, size_t n,
			      struct report_threshold *ret)
{
	double sum = 0, open_lo = NAN, open_hi = NAN;

	ret->cell = cell;
	ret->z_kib = ret->z_lo_kib = ret->z_hi_kib = NAN;
	ret->flags = xstrdup("");
	for (size_t i = 0; i < n; i++)
		*(outcome_is_answer(probes[i].outcome) ? &ret->answers : &ret->lost) += 1;
	for (unsigned i = 0; i < cell->replicates; i++) {
		if (!has_answer(i, probes, n))
			continue;

		struct search_next s = campaign_search(cell, i, probes, n);

		report_add_flags(&ret->flags, flags_of(&s));
		if (s.step == SEARCH_NO_THRESHOLD)
			continue;
		if (!has_lo(&s) || !has_hi(&s)) {
			widen(&open_lo, &open_hi, &s);
			continue;
		}
		widen(&ret->z_lo_kib, &ret->z_hi_kib, &s);
		sum += ((double)s.lo_kib + (double)s.hi_kib) / 2;
		ret->n++;
	}
	if (ret->n) {
		ret->z_kib = sum / ret->n;
	} else {
		/* One side is better than none, and the flag says what it is. */
		ret->z_lo_kib = open_lo;
		ret->z_hi_kib = open_hi;
	}
	if (!*ret->flags && !ret->n)
		report_add_flags(&ret->flags, "z-missing");
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

static void find_search_gap(struct report *r, const struct cell *cell, unsigned replicate,
			    const struct probe_record *probes, size_t n)
{
	struct search_next s = campaign_search(cell, replicate, probes, n);

	switch (s.step) {
	case SEARCH_DONE:
		break;
	case SEARCH_RAMP:
	case SEARCH_PROBE:
		add_gap(r, cell, replicate, "unfinished", xstrdup("the search has not come to its end"));
		break;
	case SEARCH_NO_THRESHOLD:
		add_gap(r, cell, replicate, "no-threshold",
			xasprintf("nothing swapped up to %llu MiB",
				  (unsigned long long)campaign_search_params(cell).hi_kib / 1024));
		break;
	case SEARCH_UNSTABLE:
		add_gap(r, cell, replicate, "unstable",
			xasprintf("%u answers contradict the bracket", s.contradictions));
		break;
	}
}

/* "fixed 120 MiB: why" */
static char *probe_reason(const struct probe_record *p)
{
	const char *why = *p->reason ? p->reason : "no reason was recorded";

	if (p->kind == PROBE_FIXED)
		return xasprintf("fixed at %llu MiB: %s", (unsigned long long)p->z_kib / 1024, why);
	return xasprintf("%s: %s", probe_kind_name(p->kind), why);
}

void report_find_gaps(struct report *r, const struct cell *cell, const struct probe_record *probes, size_t n)
{
	bool is_threshold = strcmp(cell_str(cell, "method"), "threshold") == 0;
	unsigned not_started = 0;

	for (size_t i = 0; i < n; i++) {
		const struct probe_record *p = &probes[i];

		if (!outcome_is_answer(p->outcome))
			add_gap(r, cell, p->replicate, outcome_name(p->outcome), probe_reason(p))->probe_id =
				p->id;
		else if (!is_threshold && p->outcome == OUTCOME_NO_ONSET)
			add_gap(r, cell, p->replicate, "no-onset",
				xstrdup("the load ended before the guest swapped"))
				->probe_id = p->id;
	}
	for (unsigned i = 0; i < cell->replicates; i++) {
		size_t j = 0;

		while (j < n && probes[j].replicate != i)
			j++;
		if (j == n)
			not_started++;
		else if (is_threshold)
			find_search_gap(r, cell, i, probes, n);
	}
	if (not_started)
		add_gap(r, cell, 0, "not-started",
			xasprintf("%u of %u replicates", not_started, cell->replicates));
}
