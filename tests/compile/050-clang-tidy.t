#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# clang-tidy, with clang's analyser and the checks that .clang-tidy names, finds nothing.
. tests/compile/lib.sh

# Several files at once share a start, few enough that every CPU has work to the end.
tidy() {
	find harness calibrate guest -name '*.c' | sort | xargs -P "$(nproc)" -n 6 sh -c '
		clang-tidy --quiet "$@" -- -std=gnu11 -D_GNU_SOURCE -I. -DSWAPCAL_VERSION="\"x\"" \
			-DSWAPCAL_DATADIR="\"x\"" 2> /dev/null' tidy
}

succeeds 'clang-tidy finds nothing' tidy
done_testing
