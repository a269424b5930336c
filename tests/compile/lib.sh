# SPDX-License-Identifier: GPL-3.0-or-later
# For compilation tests: builds of their own, which do not touch ./swapcal or what `make` builds.
. tests/lib.sh

# What the make that runs the tests was told is not for these.
unset MAKEFLAGS MFLAGS MAKELEVEL

# everything NAME VARIABLE=VALUE...: builds all there is, tests included, below build/NAME
everything() {
	b=build/$1
	shift
	# Its errors are of interest, not its progress.
	make -j"$(nproc)" B="$b" "$@" unit-tests "$b/harness/cmd/main.o" "$b/tests/system/probe-command" > /dev/null
}
