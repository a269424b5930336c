/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness/base/strbuf.h"

#include "tests/tap.h"

/* Words as a shell reads them. */
int main(void)
{
	static const struct {
		const char *arg, *want, *what;
	} words[] = {
		{ "a=b,c:/d.e", "a=b,c:/d.e", "plain words stay as they are" },
		{ "", "''", "nothing is a word too" },
		{ "a b", "'a b'", "a space is quoted" },
		{ "{\"a\":$x}", "'{\"a\":$x}'", "so is what a shell would expand" },
		{ "it's", "'it'\\''s'", "a quote is taken out" },
		{ "~x", "'~x'", "a tilde is quoted" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		cleanup_strbuf struct strbuf sb = STRBUF_INIT;

		strbuf_add_quoted(&sb, words[i].arg);
		is_str(strbuf_str(&sb), words[i].want, words[i].what);
	}
	return tap_done();
}
