/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How an agreement is told, as text and as JSON; the figures are made up. */
#include <jansson.h>

#include "harness/compare/compare.h"
#include "tests/tap.h"

static const struct compare_subject subject = {
	.name = "p\x1b.csv",
	.unit = "pair",
	.params = { .margin_pct = 5, .confidence = 0.95, .confidence_validated = 0.95 },
};

static struct agreement_limits make_limits(double bias)
{
	return (struct agreement_limits){
		.bias = bias,
		.bias_ci = { bias - 1, bias + 1 },
		.sd = 2.5,
		.sd_between = 2,
		.sd_within = 1.5,
		.loa = { bias - 4.9, bias + 4.9 },
		.loa_lo_ci = { bias - 6, bias - 4 },
		.loa_hi_ci = { bias + 4, bias + 6 },
		.outer = { bias - 5.5, bias + 5.5 },
		.inner = { bias - 4.5, bias + 4.5 },
		.surely_within = { bias - 8.5, bias + 8.5 },
	};
}

/** Everything is defined, nothing is to be warned of. */
static struct agreement make_good(void)
{
	return (struct agreement){
		.n = 20,
		.clusters = 20,
		.replicates_mean = 1,
		.abs = make_limits(0.1),
		.pct = make_limits(0.2),
		.proportional_slope = 0.01,
		.proportional_ci = { -0.02, 0.04 },
		.error_ratio = 1,
		.deming = { 1.01, -0.5, { 0.9, 1.1 }, { -2, 1 } },
		.weighted_deming = { 1.02, -0.6, { 0.91, 1.11 }, { -2.1, 1.1 } },
		.passing_bablok = { 1.03, -0.7, { 0.92, 1.12 }, { -2.2, 1.2 } },
		.is_pb_enumerated = true,
		.linearity_p = 0.5,
		.ccc = 0.987654321,
		.ccc_ci = { 0.9, 0.995 },
		.tost_p = 1e-7,
		.verdict = AGREEMENT_VALIDATED,
		.within_share = NAN,
		.verdict_reason = "",
	};
}

/** Nothing is defined, as of no pairs. */
static struct agreement make_nothing(void)
{
	struct agreement a;

	agreement_compare(NULL, 0, &subject.params, &a);
	a.n = a.clusters = 3;
	a.replicates_mean = 1;
	a.error_ratio = NAN;
	a.is_pb_enumerated = false;
	a.verdict_reason = "nothing is known";
	return a;
}

/** The longest line, but for the first, which has the file's name. */
static size_t width(const char *text)
{
	size_t max = 0;

	for (text = strchr(text, '\n'); text; text = strchr(text, '\n')) {
		size_t len = strcspn(++text, "\n");

		max = len > max ? len : max;
	}
	return max;
}

static void has_all(const struct agreement *a, const struct compare_subject *s, const char *const *parts)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	compare_text(a, s, &out);
	for (; *parts; parts++)
		has_str(out.data, *parts, *parts);
	ok(width(out.data) <= 100, "no line is longer than 100 columns");
}

/** All of these texts. */
#define HAS(a, s, ...) has_all(a, s, (const char *const[]){ __VA_ARGS__, NULL })

static void lacks(const struct agreement *a, const struct compare_subject *s, const char *part)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	compare_text(a, s, &out);
	ok(!strstr(out.data, part), part);
}

static void test_text(void)
{
	struct agreement a = make_good();

	HAS(&a, &subject, "p?.csv: 20 pairs. Does y agree with the reference z?\n",
	    "\n  bias                          0.100000  [-0.900000, 1.10000]          mean difference\n",
	    "\n  lower limit of agreement      -4.80000  [-5.90000, -3.90000]          95 % of "
	    "differences lie",
	    "\n  upper limit of agreement       5.00000  [4.10000, 6.10000]            between "
	    "these two limits",
	    "\n  limits at their widest                  [-5.30000, 5.70000]           if "
	    "errors are normal",
	    "\n  surely within                           [-8.30000, 8.70000]           validated "
	    "when within 5 %",
	    "\n  Deming slope                   1.01000  [0.900000, 1.10000] ",
	    "\n  weighted Deming intercept    -0.600000  [-2.10000, 1.10000] ",
	    "\n  Passing-Bablok slope           1.03000  [0.920000, 1.12000] ",
	    "\n  error ratio (assumed)          1.00000 ",
	    "\n  Lin's concordance (CCC)       0.987654  [0.900000, 0.995000] ",
	    "\n  p of two t tests (TOST)          1e-07 ", "note: Passing-Bablok looked at all slopes\n",
	    "note: each pair counts by itself; a column 'cell'",
	    "\n\nvalidated: 95 % of differences lie within 5 % of z (at 95 % confidence)\n");
	lacks(&a, &subject, "warning");
	lacks(&a, &subject, "    within ");
}

static void test_warnings(void)
{
	struct agreement a = make_good();
	struct compare_subject s = subject;

	a.linearity_p = 0.049;
	a.proportional_ci = (struct interval){ 0.001, 0.02 };
	a.is_pb_enumerated = false;
	a.clusters = 5;
	a.replicates_mean = 4;
	a.has_error_ratio = true;
	a.verdict = AGREEMENT_REJECTED;
	s.unit = "cell";
	s.params.margin_pct = 2.5;
	HAS(&a, &s, ": 20 pairs in 5 cells. ", "\n    between                      2.00000 ",
	    "\n    within                       1.50000 ", "\n  error ratio (estimated)        1.00000 ",
	    "note: pairs of one cell belong together, 4 in each on average; each cell counts once\n",
	    "note: Passing-Bablok found slopes by counting their ranks\n",
	    "warning: y is no straight line over z", "warning: the difference changes with the size",
	    "\n\nrejected: a limit of agreement lies beyond 2.5 % of z (at 95 % confidence)\n");
	a.is_weighted_unstable = true;
	HAS(&a, &s, "warning: weighted Deming does not converge");
	a.deming.slope = -0.5;
	HAS(&a, &s, "warning: y falls where z grows; Passing-Bablok is for what grows together\n");
	a.proportional_ci = (struct interval){ -0.02, -0.001 };
	HAS(&a, &s, "warning: the difference changes with the size");
	a.clusters = a.n;
	HAS(&a, &s, "note: no cell has more than one pair; each counts by itself\n");
}

static void test_undecided(void)
{
	struct agreement a = make_good(), nothing = make_nothing();
	struct compare_subject s = subject;

	a.verdict = AGREEMENT_UNDECIDED;
	a.clusters_needed = 35;
	HAS(&a, &s, "\nundecided: 35 pairs like these would decide, in four of five such samples\n");
	s.unit = "cell";
	HAS(&a, &s, "35 cells like these would decide, in four");
	a.clusters_needed = 0;
	lacks(&a, &s, "like these");
	HAS(&nothing, &subject,
	    "\n  bias                                 -                                mean",
	    "\n  Lin's concordance (CCC)              - ", "\n\nundecided: nothing is known\n");
	lacks(&nothing, &subject, "nan");
	lacks(&nothing, &subject, "warning");
	lacks(&nothing, &subject, "percent of z");

	a = make_good();
	a.pct = nothing.pct;
	HAS(&a, &subject, "warning: some z is not above 0");
}

/** The widest numbers there are. */
static void test_width(void)
{
	struct agreement a = make_good();
	const struct interval wide = { -1.234567e-100, -1.234567e-100 };

	a.clusters = 5;
	a.proportional_slope = a.ccc = a.linearity_p = a.tost_p = wide.lo;
	a.pct.bias = a.abs.bias = wide.lo;
	a.abs.outer = a.abs.inner = a.pct.inner = a.pct.outer =
		(struct interval){ -1.234567e-5, -1.234567e-5 };
	a.abs.bias_ci = a.pct.bias_ci = a.ccc_ci = a.deming.slope_ci = a.pct.outer;
	HAS(&a, &subject, "[-1.23457e-05, -1.23457e-05]");
}

/** A number as the text has it. */
static void is_number(double v, const char *want)
{
	struct agreement a = make_good();
	cleanup_strbuf struct strbuf out = STRBUF_INIT, row = STRBUF_INIT;

	a.ccc = v;
	compare_text(&a, &subject, &out);
	strbuf_addf(&row, "\n  Lin's concordance (CCC)  %13s  ", want);
	has_str(out.data, row.data, want);
}

static void test_numbers(void)
{
	is_number(NAN, "-");
	is_number(0, "0");
	is_number(-INFINITY, "-inf");
	is_number(0.942742, "0.942742");
	is_number(-73.86199, "-73.8620");
	is_number(2.117647, "2.11765");
	is_number(1, "1.00000");
	is_number(100, "100.000");
	is_number(123456.7, "123457");
	is_number(1234567, "1234567");
	is_number(1.5e12, "1.5e+12");
	is_number(-1.234567e-5, "-1.23457e-05");
	is_number(0.001, "0.00100000");
}

static json_t *json_of(const struct agreement *a)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	compare_json(a, &subject, &out);
	return json_loads(out.data, 0, NULL);
}

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static const char *string(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static bool is_null(const json_t *v)
{
	return json_is_array(v) ? is_null(json_array_get(v, 0)) && is_null(json_array_get(v, 1))
				: json_is_null(v);
}

/** In the order in which they stand. */
static const char keys[] =
	"tool_version schema_version file margin_pct confidence n clusters bias bias_ci sd loa "
	"loa_ci sd_between sd_within bias_pct bias_pct_ci sd_pct loa_pct loa_pct_ci "
	"loa_pct_outer loa_pct_inner surely_within_pct within within_share has_outlier proportional_slope proportional_ci slope_deming "
	"slope_deming_ci intercept_deming intercept_deming_ci error_ratio "
	"error_ratio_estimated slope_weighted_deming slope_weighted_deming_ci "
	"intercept_weighted_deming intercept_weighted_deming_ci weighted_deming_converges slope_pb slope_pb_ci "
	"intercept_pb intercept_pb_ci pb_method linearity_p ccc ccc_ci tost_p verdict "
	"verdict_reason clusters_needed ";

/** The keys of all members, or of those that are neither null nor an interval of nulls. */
static void has_keys(const json_t *o, bool has_null, const char *want, const char *what)
{
	cleanup_strbuf struct strbuf got = STRBUF_INIT;
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)o, key, v)
	{
		if (has_null || !is_null(v))
			strbuf_addf(&got, "%s ", key);
	}
	is_str(strbuf_str(&got), want, what);
}

static void test_json(void)
{
	struct agreement a = make_good();
	cleanup(cleanup_json_) json_t *o = NULL;

	a.ccc = 0.123456789012345;
	o = json_of(&a);
	if (!ok(o, "JSON"))
		return;
	has_keys(o, true, keys, "its members");
	is_str(string(o, "file"), "p?.csv", "the file is cleaned");
	ok(number(o, "ccc") == 0.123456789012345, "numbers have 15 digits");
	ok(number(o, "slope_pb") == 1.03 && number(o, "intercept_pb") == -0.7 &&
		   number(o, "slope_deming") == 1.01 && number(o, "intercept_weighted_deming") == -0.6,
	   "each line has its own");
	ok(json_number_value(json_array_get(json_array_get(json_object_get(o, "loa_ci"), 1), 0)) == 0.1 + 4,
	   "intervals of both limits");
	is_str(string(o, "pb_method"), "all slopes", "the method of Passing-Bablok");
	is_str(string(o, "verdict"), "validated", "the verdict");
}

static void test_json_nothing(void)
{
	static const char known[] =
		"tool_version schema_version file margin_pct confidence n clusters "
		"within has_outlier error_ratio_estimated weighted_deming_converges pb_method verdict verdict_reason clusters_needed ";
	struct agreement a = make_nothing();
	cleanup(cleanup_json_) json_t *o = NULL;

	a.deming.slope_ci = (struct interval){ -INFINITY, INFINITY };
	o = json_of(&a);
	if (!ok(o, "JSON of what is not known"))
		return;
	has_keys(o, true, keys, "has the same members");
	has_keys(o, false, known, "of which these are known, and all others null");
	is_str(string(o, "pb_method"), "ranks by counting", "the other method");
}

TAP_MAIN(test_numbers, test_text, test_warnings, test_undecided, test_width, test_json, test_json_nothing)
