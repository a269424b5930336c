#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# gcc's analyser, which follows paths through the functions of one file, finds nothing.
. tests/compile/lib.sh

b=build/compile-analyzer

# analyze OPTION TARGET...
analyze() {
	option=$1
	shift
	make -k -j"$(nproc)" B=$b CC=gcc MUSL_CC='musl-gcc -fanalyzer' CFLAGS="-O2 -fanalyzer $option" "$@" > /dev/null
}

# It takes the error of next_member() for NULL, which err_new() never returns, and then misses what comes with no error.
succeeds 'gcc -fanalyzer finds nothing in rootfs.c' analyze -Wno-analyzer-use-of-uninitialized-value $b/harness/rootfs.o
succeeds 'and nothing elsewhere' analyze '' $b/libswapcal.a $b/harness/main.o
done_testing
