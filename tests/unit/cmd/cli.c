/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/cmd/cli.h"
#include "tests/tap.h"

/* Values of options. */

static void duration(const char *text, double want_s)
{
	double got_s = -1;
	struct err *e = cli_parse_duration("--time-limit", text, &got_s);

	if (want_s > 0) {
		ok(!e && got_s == want_s, text);
	} else {
		ok(e && err_get_kind(e) == ERR_USAGE, *text ? text : "(nothing)");
		has_str(e ? err_message(e) : "", "--time-limit", "told by its name");
	}
	err_free(e);
}

static void count(const char *text, unsigned want)
{
	unsigned got = 0;
	struct err *e = cli_parse_count("--jobs", text, 1, 64, &got);

	ok(want ? !e && got == want : e && err_get_kind(e) == ERR_USAGE, *text ? text : "(nothing)");
	err_free(e);
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
	count("1", 1);
	count("64", 64);
	count("65", 0);
	count("0", 0);
	count("", 0);
	count("+1", 0);
	count(" 2", 0);
	count("2x", 0);
	count("99999999999999999999", 0);
	return tap_done();
}
