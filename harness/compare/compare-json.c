/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>

#include "harness/base/format.h"
#include "harness/compare/compare.h"
#include "harness/cell/cell-format.h"

static json_t *interval_json(struct interval i)
{
	json_t *a = json_array();

	json_array_append_new(a, format_json_number(i.lo));
	json_array_append_new(a, format_json_number(i.hi));
	return a;
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
	json_t *a = json_array();

	json_array_append_new(a, interval_json(l->loa_lo_ci));
	json_array_append_new(a, interval_json(l->loa_hi_ci));
	json_object_set_new(o, key, a);
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
	set_line(o, "pb", &a->passing_bablok);
	json_object_set_new(o, "pb_method",
			    json_string(a->is_pb_enumerated ? "all slopes" : "ranks by counting"));
	set_number(o, "linearity_p", a->linearity_p);
}

void compare_json_members(const struct agreement *a, json_t *o)
{
	json_object_set_new(o, "n", json_integer((json_int_t)a->n));
	json_object_set_new(o, "cells", json_integer((json_int_t)a->cells));
	set_differences(o, a);
	set_lines(o, a);
	set_number(o, "ccc", a->ccc);
	set_interval(o, "ccc_ci", a->ccc_ci);
	set_number(o, "tost_p", a->tost_p);
	json_object_set_new(o, "verdict", json_string(agreement_verdict_name(a->verdict)));
	json_object_set_new(o, "verdict_reason", json_string(a->verdict_reason));
	json_object_set_new(o, "cells_needed", json_integer((json_int_t)a->cells_needed));
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
	format_json_exact(out, o);
}
