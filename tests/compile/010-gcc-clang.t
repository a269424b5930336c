#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Both compilers, warnings as errors; the programs of the guest too. What fortified headers complain about counts.
. tests/compile/lib.sh

succeeds 'clang compiles everything' everything compile-clang CC=clang MUSL_CC=clang
succeeds 'gcc compiles everything, fortified' everything compile-gcc CC=gcc CFLAGS='-O2 -D_FORTIFY_SOURCE=2'
done_testing
