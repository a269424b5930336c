/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calibrate/stats/agreement.h"
#include "harness/cmd/cli.h"
#include "harness/cmd/cmd.h"
#include "harness/compare/compare.h"
#include "harness/compare/pairs.h"

/* Of each side of the verdict. */
#define CONFIDENCE 0.95

static const char usage[] =
	"usage: swapcal compare PAIRS.csv [--margin PCT] [--z-error PCT] [--format text|json]\n"
	"\n"
	"Do two methods of measurement agree? Compares pairs of measurements, of anything, as\n"
	"Bland and Altman did: the bias of y against the reference z, and the limits between\n"
	"which 95 % of the differences y - z lie. Beside that the lines of Deming and of Passing\n"
	"and Bablok, and Lin's concordance.\n"
	"\n"
	"PAIRS.csv is a CSV file; '-' reads standard input. Its first row names the columns:\n"
	"  z     the reference\n"
	"  y     the method on trial, in the same unit\n"
	"  cell  optional, any text: rows with the same are replicates, measurements of one\n"
	"        thing, and together count once. Without it each row counts by itself\n"
	"  cluster  optional, in place of cell: rows with the same share more than one\n"
	"        measurement, such as one load in several guests, and together count once\n"
	"Their order is free, other columns are ignored, and so are lines that begin with '#'.\n"
	"The separator is a comma and the decimal sign a point.\n"
	"\n"
	"The last line is the verdict, at 95 % confidence:\n"
	"  validated  95 % of differences lie within the margin, with room for some that are not\n"
	"             normal, but not for rare large ones that few rows show: y may stand for z\n"
	"  rejected   one of the limits lies beyond the margin\n"
	"  undecided  too few pairs to say, and how many would do\n"
	"The exit status is 0 when validated, 4 when rejected or undecided, 2 when the file is\n"
	"wrong. That y and z correlate says nothing about this.\n"
	"\n"
	"Options:\n"
	"  -m, --margin PCT  the largest difference that does not matter, in percent of z\n"
	"                    (default 5%)\n"
	"      --z-error PCT standard uncertainty of z that all rows share, such as that of one\n"
	"                    calibration, in percent of z: no number of rows shows it\n"
	"      --format FMT  text for reading (the default), or json with 15 digits\n"
	"  -h, --help        show this text\n"
	"\n"
	"Examples:\n"
	"  swapcal compare examples/pefr.csv\n"
	"  swapcal compare pairs.csv --margin 2% --format json\n"
	"  awk 'BEGIN { print \"z,y\" } { print $1 \",\" $2 }' table | swapcal compare -\n";

struct options {
	const char *path;
	double margin_pct, z_error_pct;
	enum cli_format format;
};

static struct err *print_comparison(const struct options *o, const struct pairs *pairs)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	const struct compare_subject subject = {
		.name = pairs_name(o->path),
		.unit = pairs->unit,
		.params = { .margin_pct = o->margin_pct,
			    .z_uncertainty_pct = o->z_error_pct,
			    .confidence = CONFIDENCE,
			    .confidence_validated = CONFIDENCE },
	};
	struct agreement a;

	agreement_compare(pairs->pairs, pairs->n, &subject.params, &a);
	(o->format == CLI_JSON ? compare_json : compare_text)(&a, &subject, &out);
	cli_print(&out);
	if (a.verdict == AGREEMENT_VALIDATED)
		return NULL;
	return err_new_kind(ERR_UNSTABLE, "agreement within %g %% is %s", o->margin_pct,
			    agreement_verdict_name(a.verdict));
}

struct err *cmd_compare(int argc, char **argv)
{
	cleanup_pairs struct pairs pairs = { 0 };
	struct options o = { .margin_pct = AGREEMENT_MARGIN_PCT };
	const struct cli_option options[] = {
		{ "PAIRS.csv", .argument = &o.path },
		{ "margin", 'm', .margin_pct = &o.margin_pct },
		{ "z-error", .margin_pct = &o.z_error_pct },
		{ "format", .format = &o.format, .choices = "text|json" },
		{ .name = NULL },
	};
	struct err *e = cli_parse(argc, argv, usage, options);

	if (!e)
		e = pairs_load(o.path, &pairs);
	return e ? e : print_comparison(&o, &pairs);
}
