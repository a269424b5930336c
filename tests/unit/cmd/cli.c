/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cmd/cli.h"
#include "tests/tap.h"

/* Values of options. */

static double time_s;
static unsigned count;

static const struct cli_option options[] = {
	{ "time-limit", .time_s = &time_s },
	{ "jobs", 'j', .count = &count, .min = 1, .max = 64 },
	{ .name = NULL },
};

/** The option with that value is taken, or the error names it. */
static bool takes(const char *option, const char *value)
{
	char *argv[] = { (char *)"run", (char *)option, (char *)value, NULL };
	struct err *e = cli_parse(3, argv, "", options);
	bool is_taken = !e;

	if (e) {
		ok(err_get_kind(e) == ERR_USAGE, *value ? value : "(nothing)");
		has_str(err_message(e), option, "told by its name");
	}
	err_free(e);
	return is_taken;
}

static void duration(const char *text, double want_s)
{
	bool is_taken = takes("--time-limit", text);

	ok(want_s > 0 ? is_taken && time_s == want_s : !is_taken, *text ? text : "(nothing)");
}

static void number(const char *text, unsigned want)
{
	bool is_taken = takes("--jobs", text);

	ok(want ? is_taken && count == want : !is_taken, *text ? text : "(nothing)");
}

int main(void)
{
	duration("90s", 90);
	duration("30m", 1800);
	duration("8h", 28800);
	duration("7h30m", 27000);
	duration("1h1m1s", 3661);
	duration("", 0);
	duration("90", 0);
	duration("h", 0);
	duration("-1h", 0);
	duration("0s", 0);
	duration("1m1h", 0);
	duration("1h 30m", 0);
	duration("1.5h", 0);
	duration("99999999h", 0);
	number("1", 1);
	number("64", 64);
	number("65", 0);
	number("0", 0);
	number("", 0);
	number("+1", 0);
	number(" 2", 0);
	number("2x", 0);
	number("99999999999999999999", 0);
	return tap_done();
}
