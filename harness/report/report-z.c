/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/alloc.h"
#include "harness/cell/cell-format.h"
#include "harness/cell/cell-search.h"
#include "harness/report/report-parts.h"

/*
 * What swapping says of a cell, with which its Y are compared: Z* of its guest; what a load of fixed size
 * displaces; the ballast in whose place a load fills the guest that was searched for.
 */

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

/* What the single searches came to: their flags, how many found both sides, and whether they mean the same
 * Z*. */
static void judge_searches(const struct report_probes *p, struct report_threshold *t)
{
	struct interval common = { -INFINITY, INFINITY };

	for (unsigned i = 0; i < t->cell->replicates; i++) {
		const struct search_next *s = &p->replicates[i].search;

		if (!p->replicates[i].answers)
			continue;
		flags_add(&t->flags, flags_of(s));
		/* A guest that always swaps has a Z* although its bracket has no lower side. */
		if (s->step == SEARCH_NO_THRESHOLD ||
		    (s->step != SEARCH_DONE && !(has_lo(&s->estimate) && has_hi(&s->estimate))))
			continue;
		t->n++;
		common.lo = fmax(common.lo, s->estimate.ci_kib.lo);
		common.hi = fmin(common.hi, s->estimate.ci_kib.hi);
	}
	if (common.lo > common.hi)
		flags_add(&t->flags, "searches-disagree");
}

static void check(const struct report_probes *p, struct report_threshold *t)
{
	size_t n;
	cleanup_free struct search_probe *answers =
		cell_search_probes(t->cell, CELL_EVERY_REPLICATE, p->v, p->n, &n);

	threshold_check(answers, n, &t->estimate, REPORT_SEED, &t->check);
	if (t->check.is_contrary)
		flags_add(&t->flags, "estimators-disagree");
}

/*
 * What the ballast held in the probes of that kind that came to an onset, and the load beside it more than at
 * rest: onsets_kib has room for all.
 */
static struct report_span onsets_of(const struct report_probes *p, enum probe_kind kind, double *onsets_kib)
{
	struct report_span span = { .mean_kib = NAN, .lo_kib = NAN, .hi_kib = NAN };
	double sum = 0;

	for (size_t i = 0; i < p->n; i++) {
		double drift_kib = p->weighings[i].drift_kib;
		double kib = (double)p->v[i].load_pages * 4;

		if (p->v[i].kind != kind || p->v[i].outcome != OUTCOME_ONSET)
			continue;
		if (kind == PROBE_DISPLACEMENT && !isnan(drift_kib))
			kib += drift_kib;
		span.lo_kib = fmin(span.lo_kib, kib);
		span.hi_kib = fmax(span.hi_kib, kib);
		sum += kib;
		onsets_kib[span.n++] = kib;
	}
	if (span.n)
		span.mean_kib = sum / span.n;
	return span;
}

double report_ramp_step_kib(const struct cell *cell)
{
	const char *slow = strstr(cell->course, " slow_parts=");
	unsigned parts = 1;

	/* Until a course had that, ramps went on as fast as they began. */
	if (slow)
		sscanf(slow, " slow_parts=%u", &parts);
	return (double)cell->ramp_kib_s / (parts ? parts : 1) * cell->tick_ms / 1000;
}

static void compute(const struct cell *cell, const struct report_probes *p, struct report_threshold *t)
{
	cleanup_free double *onsets_kib = xcalloc(p->n, sizeof(*onsets_kib));

	*t = (struct report_threshold){
		.cell = cell,
		.mem_total_kib = p->mem_total_kib,
		.mem_available0_kib = p->mem_available0_kib,
		.z_kib = NAN,
		.z_lo_kib = NAN,
		.z_hi_kib = NAN,
		.estimate = p->estimate,
		.check = { .logistic = { .ed50 = NAN, .profile = INTERVAL_NONE },
			   .isotonic = { .ed50 = NAN, .ci = INTERVAL_NONE } },
		.ramp = onsets_of(p, PROBE_RAMP, onsets_kib),
		.flags = xstrdup(""),
	};
	t->ramps = threshold_ramps(onsets_kib, t->ramp.n, report_ramp_step_kib(cell));
	for (size_t i = 0; i < p->n; i++)
		*(outcome_is_answer(p->v[i].outcome) ? &t->answers : &t->lost) += 1;
	judge_searches(p, t);
	if (t->n) {
		t->z_kib = t->estimate.z_kib;
		t->z_lo_kib = t->estimate.ci_kib.lo;
		t->z_hi_kib = t->estimate.ci_kib.hi;
		check(p, t);
	} else if (!flags_have(t->flags, "no-threshold")) {
		/* One side of the bracket is better than none; a flag says that the other is open. */
		t->z_lo_kib = has_lo(&t->estimate) ? (double)t->estimate.bracket_lo_kib : (double)NAN;
		t->z_hi_kib = has_hi(&t->estimate) ? (double)t->estimate.bracket_hi_kib : (double)NAN;
	}
	if (!*t->flags && !t->n)
		flags_add(&t->flags, "z-missing");
}

void report_thresholds_compute(struct report *r)
{
	r->thresholds = xcalloc(r->cells_n, sizeof(*r->thresholds));
	for (size_t i = 0; i < r->cells_n; i++)
		if (cell_is(&r->cells[i], METHOD_THRESHOLD))
			compute(&r->cells[i], &r->probes[i], &r->thresholds[r->thresholds_n++]);
}

const struct report_threshold *report_find_threshold(const struct report *r, const struct cell *cell)
{
	for (size_t i = 0; i < r->thresholds_n; i++)
		if (strcmp(r->thresholds[i].cell->key, cell->threshold_key) == 0)
			return &r->thresholds[i];
	return NULL;
}

/* The mean of what was seen in the probes of that kind that came to an onset. */
static struct weighing mean_weighing(const struct report_probes *p, enum probe_kind kind)
{
	cleanup_free struct weighing *all = xcalloc(p->n, sizeof(*all));
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].kind == kind && p->v[i].outcome == OUTCOME_ONSET)
			all[n++] = p->weighings[i];
	return weighing_mean(all, n);
}

/* The books of a displacement. Swap in RAM is in none of their counts. */
static void set_parts(const struct report_probes *reference, const struct report_probes *p, const char *swap,
		      struct report_z *z)
{
	struct weighing load = mean_weighing(p, PROBE_DISPLACEMENT),
			ballast = mean_weighing(reference, PROBE_RAMP);

	if (strcmp(swap, "zram") == 0)
		load.free_kib = NAN;
	z->drift_kib = load.drift_kib;
	z->parts = weight_parts_of(&load, &ballast);
}

/* Do replicates differ by more than a single one of them is uncertain by, and by what matters? */
static bool is_not_repeatable(const struct report_span *fill, const struct report_threshold *t,
			      const struct report_z *z)
{
	double range_kib = fill->hi_kib - fill->lo_kib;

	return range_kib > 2 * z->resolution_kib + (t->ramp.hi_kib - t->ramp.lo_kib) &&
	       100 * range_kib > REPORT_DRIFT_PCT * z->kib;
}

static int by_number(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

/*
 * What a load of fixed size weighs at rest, when it is looked at: Zeq = Z_ramp - Z_fill, how much less the
 * ballast held at onset beside the load than alone. By how much the load grew until then is known from its
 * cgroup, and counts to Z_fill.
 *
 * Z_ramp is the ballast at onset of the ramps that begin each search for Z*, and not Z* itself: the ballast
 * beside the load grows at the same rate and its onset is seen as late, by the ticks that pass until kswapd
 * has begun and the rule holds, so that this cancels out. Measured at X = 256 MiB, beside 48 MiB of
 * private-dirty, in three campaigns: Z_ramp - Z_fill is 48.0 to 48.3 MiB, Z* - Z_fill 44.9 to 45.5 MiB.
 *
 * Its range: each of the two is seen at the end of a tick in which the ballast grew by one step, which makes
 * the difference uncertain by a step either way; to that comes what replicates differ by, from smallest to
 * largest on both sides.
 */
static void set_displaced(const struct report_threshold *t, const struct report_probes *p, struct report_z *z)
{
	cleanup_free double *onsets_kib = xcalloc(p->n, sizeof(*onsets_kib));
	struct report_span fill = onsets_of(p, PROBE_DISPLACEMENT, onsets_kib);

	if (!t || !t->ramp.n)
		z->flags = "z-missing";
	if (!t || !t->ramp.n || !fill.n)
		return;
	z->kib = t->ramp.mean_kib - fill.mean_kib;
	if (is_not_repeatable(&fill, t, z)) {
		z->flags = "not-repeatable";
		/* Where reclaim goes either one way or another, the mean is of neither. */
		qsort(onsets_kib, fill.n, sizeof(*onsets_kib), by_number);
		z->kib = t->ramp.mean_kib - (onsets_kib[(fill.n - 1) / 2] + onsets_kib[fill.n / 2]) / 2;
	}
	z->lo_kib = t->ramp.lo_kib - fill.hi_kib - z->resolution_kib;
	z->hi_kib = t->ramp.hi_kib - fill.lo_kib + z->resolution_kib;
}

/* The line that the cell's guests are on; NULL when there is none. */
static const struct report_curve *find_curve(const struct report *r, const struct cell *cell)
{
	for (size_t i = 0; i < r->curves_n; i++)
		for (size_t p = 0; p < r->curves[i].n; p++)
			if (strcmp(r->curves[i].points[p]->cell->key, cell->threshold_key) == 0)
				return &r->curves[i];
	return NULL;
}

/*
 * Method ram: the guest of size X* begins to swap with the load, as it would with a ballast of Z*(X*), which
 * the line through the thresholds of other guests tells. The search is over how much less than the most RAM
 * there is.
 */
static void set_searched(const struct report *r, const struct cell *cell, const struct report_probes *p,
			 struct report_z *z)
{
	const struct search_estimate *e = &p->estimate;
	double max_kib = (double)cell_ram_max_kib(cell);
	const struct report_curve *c = find_curve(r, cell);

	z->x_mib = NAN;
	if (!isfinite(e->z_kib) || !isfinite(e->ci_kib.hi) || p->is_beyond) {
		z->flags = "no-threshold";
		return;
	}
	z->x_mib = (max_kib - e->z_kib) / 1024;
	if (!c) {
		z->flags = "z-missing";
		return;
	}

	struct curve_prediction lo = curve_predict(&c->fit, (max_kib - e->ci_kib.hi) / 1024);
	struct curve_prediction hi = curve_predict(&c->fit, (max_kib - e->ci_kib.lo) / 1024);

	z->kib = curve_predict(&c->fit, z->x_mib).z_kib;
	/* The uncertainty of a line through two points is not known. */
	z->lo_kib = isfinite(lo.z_pi_kib.lo) ? lo.z_pi_kib.lo : lo.z_kib;
	z->hi_kib = isfinite(hi.z_pi_kib.hi) ? hi.z_pi_kib.hi : hi.z_kib;
}

struct report_z report_z_compute(const struct report *r, const struct cell *cell)
{
	const struct report_threshold *t = report_find_threshold(r, cell);
	const struct report_probes *p = &r->probes[cell - r->cells];
	struct report_z z = {
		.x_mib = cell->x_mib,
		.kib = NAN,
		.lo_kib = NAN,
		.hi_kib = NAN,
		.drift_kib = NAN,
		.parts = { NAN, NAN, NAN, NAN, NAN, NAN },
		.flags = "",
	};

	if (cell_is(cell, METHOD_RAM)) {
		set_searched(r, cell, p, &z);
	} else if (cell_is(cell, METHOD_DISPLACEMENT)) {
		z.resolution_kib = report_ramp_step_kib(cell);
		set_displaced(t, p, &z);
		if (t)
			set_parts(&r->probes[t->cell - r->cells], p, cell->settings.swap, &z);
	} else if (!t) {
		z.flags = "z-missing";
	} else {
		z.flags = t->flags;
		z.kib = t->z_kib;
		z.lo_kib = t->z_lo_kib;
		z.hi_kib = t->z_hi_kib;
	}
	return z;
}

bool report_is_drifting(const struct report_z *z)
{
	return 100 * fabs(z->drift_kib) > REPORT_DRIFT_PCT * z->kib;
}

/* Zeq is that of the load at rest, without what it grew by until the onset. */
double report_closure_kib(const struct report_z *z)
{
	return z->kib + z->parts.drift_kib - z->parts.sum_kib;
}

static void add_threshold(struct strbuf *out, const struct report *r, const struct report_threshold *t)
{
	cleanup_strbuf struct strbuf varying = STRBUF_INIT;

	strbuf_addf(out, "%7u%10s%14s%9s  %-16s%14s%8u%4u", t->cell->x_mib, MIB_TEXT(t->mem_total_kib),
		    MIB_TEXT(t->mem_available0_kib), MIB_TEXT(t->z_kib),
		    MIB_RANGE_TEXT(t->z_lo_kib, t->z_hi_kib),
		    NUMBER_TEXT(100 * (t->z_kib - t->mem_available0_kib) / t->mem_available0_kib, "+", " %"),
		    t->answers + t->lost, t->n);
	format_varying(&varying, t->cell, r->cells, r->cells_n);
	if (varying.len)
		strbuf_addf(out, "  %s", varying.data + strlen(", "));
	table_end_line(out, t->flags);
}

/* What stands behind a Z*: the bracket, what other estimators say, and what thresholds differ by. */
static void add_details(struct strbuf *out, const struct report_threshold *t)
{
	const struct search_estimate *e = &t->estimate;
	const struct quantal_logistic *l = &t->check.logistic;
	const struct quantal_isotonic *i = &t->check.isotonic;

	strbuf_addf(out,
		    "\n%7u  bracket %s, %u of %u answers contradict; logistic %s %s,\n"
		    "         isotonic %s %s; boot to boot sd %s, at most %s",
		    t->cell->x_mib, MIB_RANGE_TEXT((double)e->bracket_lo_kib, (double)e->bracket_hi_kib),
		    e->contradictions, e->answers, MIB_TEXT(l->ed50),
		    MIB_RANGE_TEXT(l->profile.lo, l->profile.hi), MIB_TEXT(i->ed50),
		    MIB_RANGE_TEXT(i->ci.lo, i->ci.hi), MIB_TEXT(e->spread_kib), MIB_TEXT(e->spread_hi_kib));
	if (t->check.separation == QUANTAL_COMPLETE)
		strbuf_adds(out, " (separated: maybe 0)");
	if (isfinite(t->ramps.sd_kib))
		strbuf_addf(out, ";\n         ramps: sd %s between boots, %s within a boot (one tick)",
			    MIB_TEXT(t->ramps.between_boots_kib), MIB_TEXT(t->ramps.within_boot_kib));
	strbuf_adds(out, "\n");
}

void report_thresholds_text(const struct report *r, struct strbuf *out)
{
	strbuf_adds(out,
		    "\nSwap thresholds (ballast), in MiB\n\n"
		    "      X  MemTotal  MemAvailable       Z*  95 % interval   Z*-MemAvail.  probes   n\n");
	for (size_t i = 0; i < r->thresholds_n; i++)
		add_threshold(out, r, &r->thresholds[i]);
	if (!r->thresholds_n)
		strbuf_adds(out, "      none was asked for\n");
	for (size_t i = 0; i < r->thresholds_n; i++)
		if (isfinite(r->thresholds[i].z_kib))
			add_details(out, &r->thresholds[i]);
}

/* A side of the bracket; NAN when it has none. */
static double bracket_end(uint64_t kib, uint64_t none)
{
	return kib == none ? (double)NAN : (double)kib;
}

/* How the answers lie; null where there is no Z*. */
static json_t *check_json(const struct report_threshold *t)
{
	static const char *const names[] = { [QUANTAL_OVERLAP] = "overlap",
					     [QUANTAL_COMPLETE] = "complete",
					     [QUANTAL_ONE_SIDED] = "one-sided" };

	return isfinite(t->z_kib) ? json_string(names[t->check.separation]) : json_null();
}

static json_t *threshold_json(const struct report *r, size_t n)
{
	const struct report_threshold *t = &r->thresholds[n];
	const struct search_estimate *e = &t->estimate;
	json_t *object = json_object();

	json_object_set_new(object, "cell", members_cell_id(t->cell));
	json_object_set_new(object, "x_mib", json_integer(t->cell->x_mib));
	json_object_set_new(object, "mem_total_kib", format_json_fixed(t->mem_total_kib, 0));
	json_object_set_new(object, "mem_available0_kib", format_json_fixed(t->mem_available0_kib, 0));
	members_set_mib(object, "z_mib", t->z_kib);
	members_set_mib(object, "z_lo_mib", t->z_lo_kib);
	members_set_mib(object, "z_hi_mib", t->z_hi_kib);
	members_set_mib(object, "bracket_lo_mib", bracket_end(e->bracket_lo_kib, 0));
	members_set_mib(object, "bracket_hi_mib", bracket_end(e->bracket_hi_kib, UINT64_MAX));
	json_object_set_new(object, "contradictions", json_integer(e->contradictions));
	members_set_mib(object, "spread_mib", e->spread_kib);
	members_set_mib(object, "spread_hi_mib", e->spread_hi_kib);
	json_object_set_new(object, "wrong_answers_pct", format_json_fixed(100 * e->wrong, 2));
	json_object_set_new(object, "separation", check_json(t));
	members_set_mib(object, "z_logistic_mib", t->check.logistic.ed50);
	members_set_mib(object, "z_logistic_lo_mib", t->check.logistic.profile.lo);
	members_set_mib(object, "z_logistic_hi_mib", t->check.logistic.profile.hi);
	members_set_mib(object, "z_isotonic_mib", t->check.isotonic.ed50);
	members_set_mib(object, "z_isotonic_lo_mib", t->check.isotonic.ci.lo);
	members_set_mib(object, "z_isotonic_hi_mib", t->check.isotonic.ci.hi);
	members_set_mib(object, "z_ramp_mib", t->ramp.mean_kib);
	members_set_mib(object, "ramp_sd_between_boots_mib", t->ramps.between_boots_kib);
	members_set_mib(object, "ramp_sd_within_boot_mib", t->ramps.within_boot_kib);
	json_object_set_new(object, "n", json_integer(t->n));
	json_object_set_new(object, "probes_answered", json_integer(t->answers));
	json_object_set_new(object, "probes_lost", json_integer(t->lost));
	members_set_flags(object, t->flags);
	json_object_set_new(object, "identity", json_incref(t->cell->identity));
	return object;
}

json_t *report_thresholds_json(const struct report *r)
{
	return members_array(r, r->thresholds_n, threshold_json);
}
