#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The C code is laid out as `make format` lays it out.
. tests/lib.sh

succeeds 'make format has nothing to do' make -s check-format
done_testing
