/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What debug messages say, and who asks for them. */
#include "harness/base/log.h"
#include "tests/unit/errors.h"

static FILE *said;

/* What went to standard error since the last call. */
static const char *heard(void)
{
	static char text[4096];
	static long from;
	size_t n;

	fflush(stderr);
	fseek(said, from, SEEK_SET);
	n = fread(text, 1, sizeof(text) - 1, said);
	from += (long)n;
	text[n] = '\0';
	return text;
}

int main(void)
{
	said = tmpfile();
	if (!said || dup2(fileno(said), STDERR_FILENO) < 0)
		return 1;

	log_debug(LOG_PROBE, "too early");
	is_str(heard(), "", "nothing is told unless it is asked for");

	ok(!log_debug_enable("probe,,store"), "two categories are asked for");
	ok(log_debug_is_on(LOG_STORE) && !log_debug_is_on(LOG_DOMAIN), "and no other");
	log_debug(LOG_PROBE, "phase %s", "boot");
	log_debug(LOG_DOMAIN, "silence");
	double seconds;
	char rest[64] = "";
	ok(sscanf(heard(), "swapcal: %lf probe: %63[^\n]", &seconds, rest) == 2 && seconds >= 0,
	   "with seconds");
	is_str(rest, "phase boot", "and category");

	is_err_kind(log_debug_enable("probe,sotre"), ERR_USAGE,
		    "no category 'sotre' of debug messages; there are: all command domain image probe store",
		    "a name that is none is refused, by its name, with those that there are");

	ok(!log_debug_enable("all") && log_debug_is_on(LOG_DOMAIN) && log_debug_is_on(LOG_IMAGE),
	   "all are each");
	return tap_done();
}
