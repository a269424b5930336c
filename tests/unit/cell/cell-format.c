/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "harness/base/format.h"
#include "harness/cell/cell-format.h"
#include "tests/unit/results.h"

/* Numbers and texts as reports show them; texts may come from a guest or from someone else's file. */

static void check_fixed(double v, int decimals, const char *want)
{
	char buf[32];

	is_str(format_fixed(buf, v, decimals), want, want[0] ? want : "not a number to show");
}

static void check_clean(const char *text, const char *want, const char *what)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	format_clean(&out, text);
	is_str(strbuf_str(&out), want, what);

	cleanup(cleanup_json_) json_t *json = format_json_string(text);

	is_str(json_string_value(json), want, "and in JSON");
}

static void test_numbers(void)
{
	check_fixed(0, 0, "0");
	check_fixed(187.5, 0, "188");
	check_fixed(187.45678, 3, "187.457");
	check_fixed(0.0625, 3, "0.063");
	check_fixed(-0.04, 1, "0.0");
	check_fixed(-0.06, 1, "-0.1");
	check_fixed(-12.005, 2, "-12.01");
	check_fixed(9.999, 2, "10.00");
	check_fixed(4e9, 3, "4000000000.000");
	check_fixed((double)NAN, 1, "");
	check_fixed((double)INFINITY, 1, "");
	check_fixed(-1e300, 1, "");
}

static void test_json(void)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	format_json(&out, json_pack("{s:o, s:o}", "third", format_json_number(1.0 / 3), "decimal",
				    format_json_number(0.95)));
	is_str(out.data, "{\n  \"third\": 0.333333333333333,\n  \"decimal\": 0.95\n}\n",
	       "JSON has 15 digits, which decimals get through");

	json_t *none = format_json_number(NAN), *infinite = format_json_number(-INFINITY);

	ok(json_is_null(none) && json_is_null(infinite), "which has no number for what is none");
	json_decref(none);
	json_decref(infinite);
}

static void test_texts(void)
{
	check_clean("plain \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
		    "plain \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "UTF-8 stays");
	check_clean("a\x1b[31mb\nc\x7f", "a?[31mb?c?", "control characters go");
	check_clean("\xc2\x9b"
		    "31m",
		    "??31m", "eight-bit control characters go");
	check_clean("\xff\xc3", "??", "broken UTF-8 goes");
	check_clean("\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80", "?????????",
		    "overlong, surrogate and too large forms go");
	check_clean("\xe2\x82", "??", "a character cut short goes");
}

static void test_flags(void)
{
	cleanup_free char *flags = xstrdup("");

	flags_add(&flags, "");
	is_str(flags, "", "nothing added to nothing");
	flags_add(&flags, "icount,lost-samples");
	flags_add(&flags, "lost,icount,,lost");
	is_str(flags, "icount,lost-samples,lost",
	       "each flag is there once, and a part of a name is another name");
	ok(flags_have(flags, "lost") && !flags_have(flags, "samples"), "and is looked for as a whole");
}

static const struct cell_trait *trait(const char *name)
{
	size_t i = 0;

	while (cell_trait_at(i) && strcmp(cell_trait_at(i)->name, name) != 0)
		i++;
	return cell_trait_at(i);
}

static void test_cells(void)
{
	struct cell cells[2] = {
		test_cell(0, 160, "growth", "strings", "pypy3", NULL),
		test_cell(1, 256, "threshold", "ballast", "-", NULL),
	};
	cleanup_strbuf struct strbuf first = STRBUF_INIT, second = STRBUF_INIT;

	test_cell_set(&cells[0], "processes", json_integer(4));
	test_cell_set(&cells[0], "launch", json_string("forked"));
	test_cell_set(&cells[0], "thp", json_string("always"));
	test_cell_set(&cells[0], "mglru", json_true());
	test_cell_set(&cells[0], "image", json_string("evil\x1b[2J"));
	test_cell_set(&cells[0], "workloads", json_string("0123456789abcdef0123456789abcdef"));
	test_cell_set(&cells[1], "workloads", json_string(""));
	ok(format_is_shared(cells, 2, trait("swappiness")), "a trait that is the same everywhere");
	ok(!format_is_shared(cells, 2, trait("thp")), "a trait that differs");
	ok(format_is_shared(cells, 2, trait("touch")), "what no cell has does not differ");
	format_cell(&first, &cells[0]);
	format_varying(&first, &cells[0], cells, 2);
	is_str(strbuf_str(&first),
	       "160 MiB: strings on pypy3, 4 processes, forked, size -, image evil?[2J, thp always, mglru "
	       "on, "
	       "own workloads 0123456789ab",
	       "a cell with what differs");
	format_cell(&second, &cells[1]);
	is_str(strbuf_str(&second), "256 MiB: ballast", "a ballast");
	cell_deinit(&cells[0]);
	cell_deinit(&cells[1]);
}

TAP_MAIN(test_numbers, test_json, test_texts, test_flags, test_cells)
