#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# gcc's analyser, which follows paths through the functions of one file, finds nothing.
. tests/compile/lib.sh

quietly() {
	"$@" > /dev/null
}

# What check-all has built with it is done.
succeeds 'gcc -fanalyzer finds nothing' quietly make -k -j"$(nproc)" CC=gcc ANALYZE=-fanalyzer analyzed
succeeds 'nor in the programs of the guest' quietly make -k -j"$(nproc)" B=build/analyzer MUSL_CC='musl-gcc -fanalyzer' \
	build/analyzer/guest/agent/agent build/analyzer/guest/loads/ballast build/analyzer/guest/loads/known
done_testing
