/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/compare/compare.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/format.h"

/* Significant digits: more than any measurement has, and enough to compare with what was published. */
#define DIGITS 6

/* A usual level of significance. */
#define ALPHA 0.05

/* v with six significant digits, right for a column of such; "-" when it is NAN. */
static const char *number(char buf[32], double v)
{
	double size = fabs(v);

	if (isnan(v))
		return strcpy(buf, "-");
	/* Written out where that is not longer: it is easier to compare by eye. */
	if (size >= 1e-3 && size < 1e10) {
		int decimals = DIGITS - 1 - (int)floor(log10(size));

		snprintf(buf, 32, "%.*f", decimals < 0 ? 0 : decimals, v);
	} else {
		snprintf(buf, 32, "%.*g", DIGITS, v);
	}
	return buf;
}

/* "[lo, hi]" */
static const char *interval(char buf[80], struct interval i)
{
	snprintf(buf, 80, "[%s, %s]", number((char[32]){ 0 }, i.lo), number((char[32]){ 0 }, i.hi));
	return buf;
}

/* A line of a table: label, number, interval, and what it means in few words. */
static void add_row(struct strbuf *out, const char *label, double v, struct interval ci, const char *meaning)
{
	bool has_ci = !isnan(ci.lo) || !isnan(ci.hi);

	strbuf_addf(out, "  %-25s%13s  %-28s  %s\n", label, number((char[32]){ 0 }, v),
		    has_ci ? interval((char[80]){ 0 }, ci) : "", meaning);
}

/* An interval that belongs to no number. */
static void add_bounds(struct strbuf *out, const char *label, struct interval bounds, const char *meaning)
{
	strbuf_addf(out, "  %-38s  %-28s  %s\n", label, interval((char[80]){ 0 }, bounds), meaning);
}

static void add_heading(struct strbuf *out, const char *heading)
{
	strbuf_addf(out, "\n%-42s95 %% confidence\n", heading);
}

static bool has_replicates(const struct agreement *a)
{
	return a->clusters < a->n;
}

static void add_limits(struct strbuf *out, const struct agreement *a, const struct agreement_limits *l)
{
	add_row(out, "bias", l->bias, l->bias_ci, "mean difference");
	add_row(out, "standard deviation", l->sd, INTERVAL_NONE, "of a single difference");
	if (has_replicates(a)) {
		add_row(out, "  between", l->sd_between, INTERVAL_NONE, "of true differences");
		add_row(out, "  within", l->sd_within, INTERVAL_NONE, "of pairs in a cluster");
	}
	add_row(out, "lower limit of agreement", l->loa.lo, l->loa_lo_ci, "95 % of differences lie");
	add_row(out, "upper limit of agreement", l->loa.hi, l->loa_hi_ci, "between these two limits");
}

static void add_differences(struct strbuf *out, const struct agreement *a, const struct compare_subject *s)
{
	char meaning[64];

	add_heading(out, "Differences y - z, in the data's unit");
	add_limits(out, a, &a->abs);
	add_row(out, "change with the size", a->proportional_slope, a->proportional_ci,
		"of y - z per mean of y and z");
	if (isnan(a->pct.bias))
		return;
	add_heading(out, "Differences in percent of z");
	add_limits(out, a, &a->pct);
	snprintf(meaning, sizeof(meaning), "validated when within %g %%", s->params.margin_pct);
	add_bounds(out, "surely within", a->pct.surely_within, meaning);
	add_bounds(out, "limits at their widest", a->pct.outer, "if errors are normal");
	snprintf(meaning, sizeof(meaning), "rejected when beyond %g %%", s->params.margin_pct);
	add_bounds(out, "limits at their narrowest", a->pct.inner, meaning);
	snprintf(meaning, sizeof(meaning), "< 0.05: bias within %g %%", s->params.margin_pct);
	add_row(out, "p of two t tests (TOST)", a->tost_p, INTERVAL_NONE, meaning);
}

static void add_lines(struct strbuf *out, const struct agreement *a)
{
	const struct agreement_line *d = &a->deming, *w = &a->weighted_deming, *p = &a->passing_bablok;

	add_heading(out, "Line y = intercept + slope z");
	strbuf_adds(out, "  (agreement is slope 1 and intercept 0; unlike in ordinary regression z may have "
			 "errors, as y)\n");
	add_row(out, "Deming slope", d->slope, d->slope_ci, "where errors have one size");
	add_row(out, "Deming intercept", d->intercept, d->intercept_ci, "at all z");
	add_row(out, "weighted Deming slope", w->slope, w->slope_ci, "where errors grow with");
	add_row(out, "weighted Deming intercept", w->intercept, w->intercept_ci, "z");
	add_row(out, "Passing-Bablok slope", p->slope, p->slope_ci, "median of all slopes between");
	add_row(out, "Passing-Bablok intercept", p->intercept, p->intercept_ci,
		"points: bears with outliers");
	add_row(out, "p of a line (CUSUM)", a->linearity_p, INTERVAL_NONE, "< 0.05: no straight line");
	add_row(out, a->has_error_ratio ? "error ratio (estimated)" : "error ratio (assumed)", a->error_ratio,
		INTERVAL_NONE, "variance, error of z / of y");
	add_heading(out, "Distance from y = z");
	add_row(out, "Lin's concordance (CCC)", a->ccc, a->ccc_ci, "1: each y is its z");
}

static void add_replicates_note(struct strbuf *out, const struct agreement *a,
				const struct compare_subject *s)
{
	if (has_replicates(a))
		strbuf_addf(
			out,
			"note: pairs of one %s belong together, %.3g in each on average; each %s counts once\n",
			s->unit, a->replicates_mean, s->unit);
	else if (strcmp(s->unit, "pair") != 0)
		strbuf_addf(out, "note: no %s has more than one pair; each counts by itself\n", s->unit);
	else
		strbuf_adds(
			out,
			"note: each pair counts by itself; a column 'cell' or 'cluster' would group them\n");
}

static void add_shape_notes(struct strbuf *out, const struct agreement *a, const struct compare_subject *s)
{
	if (isfinite(a->within_share))
		strbuf_addf(
			out,
			"note: %zu of %zu %ss are within the margin; so are at least %.0f %% of such, of any shape\n",
			a->within, a->clusters, s->unit, floor(100 * a->within_share));
	if (a->has_outlier)
		strbuf_addf(
			out,
			"warning: heavy-tails: a %s is farther off the others than normal errors explain\n",
			s->unit);
}

static void add_notes(struct strbuf *out, const struct agreement *a, const struct compare_subject *s)
{
	strbuf_adds(out, "\n");
	add_replicates_note(out, a, s);
	add_shape_notes(out, a, s);
	strbuf_addf(out, "note: Passing-Bablok %s\n",
		    a->is_pb_enumerated ? "looked at all slopes" : "found slopes by counting their ranks");
	if (a->linearity_p < ALPHA)
		strbuf_adds(out, "warning: y is no straight line over z; slopes and intercepts say little\n");
	if (a->is_weighted_unstable)
		strbuf_adds(
			out,
			"warning: weighted Deming does not converge; what is not known of it is a dash\n");
	/* Deming's slope has the sign of the correlation. */
	if (a->deming.slope < 0)
		strbuf_adds(out,
			    "warning: y falls where z grows; Passing-Bablok is for what grows together\n");
	if (a->proportional_ci.lo > 0 || a->proportional_ci.hi < 0)
		strbuf_adds(
			out,
			"warning: the difference changes with the size; bias and limits in the data's unit hold at the mean\n");
	if (isnan(a->pct.bias) && !isnan(a->abs.bias))
		strbuf_adds(
			out,
			"warning: some z is not above 0; there are no percents, and nothing to compare the margin with\n");
}

static void add_undecided(struct strbuf *out, const struct agreement *a, const struct compare_subject *s)
{
	if (a->clusters_needed)
		strbuf_addf(out, "undecided: %zu %ss like these would decide, in four of five such samples\n",
			    a->clusters_needed, s->unit);
	else
		strbuf_addf(out, "undecided: %s\n", a->verdict_reason);
}

static void add_verdict(struct strbuf *out, const struct agreement *a, const struct compare_subject *s)
{
	strbuf_adds(out, "\n");
	if (a->verdict == AGREEMENT_UNDECIDED)
		add_undecided(out, a, s);
	else
		strbuf_addf(out, "%s: %s %g %% of z (at %g %% confidence)\n",
			    agreement_verdict_name(a->verdict),
			    a->verdict == AGREEMENT_VALIDATED ? "95 % of differences lie within"
							      : "a limit of agreement lies beyond",
			    s->params.margin_pct, 100 * s->params.confidence);
}

void compare_text(const struct agreement *a, const struct compare_subject *s, struct strbuf *out)
{
	format_clean(out, s->name);
	strbuf_addf(out, ": %zu pairs", a->n);
	if (strcmp(s->unit, "pair") != 0)
		strbuf_addf(out, " in %zu %s%s", a->clusters, s->unit, a->clusters == 1 ? "" : "s");
	strbuf_adds(out, ". Does y agree with the reference z?\n");
	add_differences(out, a, s);
	add_lines(out, a);
	add_notes(out, a, s);
	add_verdict(out, a, s);
}

static json_t *interval_json(struct interval i)
{
	return json_pack("[o, o]", format_json_number(i.lo), format_json_number(i.hi));
}

static void set_number(json_t *o, const char *key, double v)
{
	json_object_set_new(o, key, format_json_number(v));
}

static void set_interval(json_t *o, const char *key, struct interval i)
{
	json_object_set_new(o, key, interval_json(i));
}

/* Both limits' intervals. */
static void set_limits_ci(json_t *o, const char *key, const struct agreement_limits *l)
{
	json_object_set_new(o, key,
			    json_pack("[o, o]", interval_json(l->loa_lo_ci), interval_json(l->loa_hi_ci)));
}

static void set_differences(json_t *o, const struct agreement *a)
{
	set_number(o, "bias", a->abs.bias);
	set_interval(o, "bias_ci", a->abs.bias_ci);
	set_number(o, "sd", a->abs.sd);
	set_interval(o, "loa", a->abs.loa);
	set_limits_ci(o, "loa_ci", &a->abs);
	set_number(o, "sd_between", a->abs.sd_between);
	set_number(o, "sd_within", a->abs.sd_within);
	set_number(o, "bias_pct", a->pct.bias);
	set_interval(o, "bias_pct_ci", a->pct.bias_ci);
	set_number(o, "sd_pct", a->pct.sd);
	set_interval(o, "loa_pct", a->pct.loa);
	set_limits_ci(o, "loa_pct_ci", &a->pct);
	set_interval(o, "loa_pct_outer", a->pct.outer);
	set_interval(o, "loa_pct_inner", a->pct.inner);
	set_interval(o, "surely_within_pct", a->pct.surely_within);
	json_object_set_new(o, "within", json_integer((json_int_t)a->within));
	set_number(o, "within_share", a->within_share);
	json_object_set_new(o, "has_outlier", json_boolean(a->has_outlier));
	set_number(o, "proportional_slope", a->proportional_slope);
	set_interval(o, "proportional_ci", a->proportional_ci);
}

/* suffix: "deming" for slope_deming and its like. */
static void set_line(json_t *o, const char *suffix, const struct agreement_line *line)
{
	char key[64];

	snprintf(key, sizeof(key), "slope_%s", suffix);
	set_number(o, key, line->slope);
	snprintf(key, sizeof(key), "slope_%s_ci", suffix);
	set_interval(o, key, line->slope_ci);
	snprintf(key, sizeof(key), "intercept_%s", suffix);
	set_number(o, key, line->intercept);
	snprintf(key, sizeof(key), "intercept_%s_ci", suffix);
	set_interval(o, key, line->intercept_ci);
}

static void set_lines(json_t *o, const struct agreement *a)
{
	set_line(o, "deming", &a->deming);
	set_number(o, "error_ratio", a->error_ratio);
	json_object_set_new(o, "error_ratio_estimated", json_boolean(a->has_error_ratio));
	set_line(o, "weighted_deming", &a->weighted_deming);
	json_object_set_new(o, "weighted_deming_converges", json_boolean(!a->is_weighted_unstable));
	set_line(o, "pb", &a->passing_bablok);
	json_object_set_new(o, "pb_method",
			    json_string(a->is_pb_enumerated ? "all slopes" : "ranks by counting"));
	set_number(o, "linearity_p", a->linearity_p);
}

void compare_json_members(const struct agreement *a, json_t *o)
{
	json_object_set_new(o, "n", json_integer((json_int_t)a->n));
	json_object_set_new(o, "clusters", json_integer((json_int_t)a->clusters));
	set_differences(o, a);
	set_lines(o, a);
	set_number(o, "ccc", a->ccc);
	set_interval(o, "ccc_ci", a->ccc_ci);
	set_number(o, "tost_p", a->tost_p);
	json_object_set_new(o, "verdict", json_string(agreement_verdict_name(a->verdict)));
	json_object_set_new(o, "verdict_reason", json_string(a->verdict_reason));
	json_object_set_new(o, "clusters_needed", json_integer((json_int_t)a->clusters_needed));
}

void compare_json(const struct agreement *a, const struct compare_subject *s, struct strbuf *out)
{
	json_t *o = json_object();

	json_object_set_new(o, "tool_version", json_string(SWAPCAL_VERSION));
	json_object_set_new(o, "schema_version", json_integer(COMPARE_SCHEMA_VERSION));
	json_object_set_new(o, "file", format_json_string(s->name));
	set_number(o, "margin_pct", s->params.margin_pct);
	set_number(o, "confidence", s->params.confidence);
	compare_json_members(a, o);
	format_json(out, o);
}
