#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The other compiler, warnings as errors; the programs of the guest too. What gcc and its fortified headers complain about ends `make`
# and `make unit-tests`.
. tests/compile/lib.sh

succeeds 'clang compiles everything' everything compile-clang CC=clang MUSL_CC=clang
done_testing
