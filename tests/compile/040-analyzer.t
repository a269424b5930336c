#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# gcc's analyser, which follows paths through the functions of one file, finds nothing.
. tests/compile/lib.sh

b=build/compile-analyzer

analyze() {
	make -k -j"$(nproc)" B=$b CC=gcc MUSL_CC='musl-gcc -fanalyzer' CFLAGS='-O2 -fanalyzer' "$@" > /dev/null
}

succeeds 'gcc -fanalyzer finds nothing' analyze $b/libswapcal.a $b/harness/cmd/main.o
done_testing
