#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The size of a workload is what --size-kib says, roughly, in CPython 3; half of it is shared with forked processes.
#
# It does not show how large an interpreter's objects are: that is what swapcal measures.
. tests/workloads/lib.sh

small=1024
large=5120

# dirty NAME SIZE_KIB PROCESSES KEY
dirty() {
	control --look full -- $python "$(script "$1")" --mode hold --size-kib "$2" --processes "$3" --rounds 1 > "$dir/out"
	of "$4" full
}

for name in $(scripts); do
	case $name in
	# Of a size of their own; Python 2 only; and an application of which no more is promised than that it grows.
	bare | modules | nbody | richards | oldstyle | sympy_expand) continue ;;
	lxml_tree) $python -c 'import lxml.etree' 2> /dev/null || continue ;;
	esac
	grown=$(($(dirty "$name" $large 1 private_kib) - $(dirty "$name" $small 1 private_kib)))
	# Seen with CPython 3.11: 0.9 to 1.0 times as much, strings 1.2 (their headers).
	within "$grown" $(((large - small) * 8 / 10)) $(((large - small) * 15 / 10)) \
		"$name: $(((large - small) / 1024)) MiB more of payload take about as much of memory"
done

# Strings have no cycles to collect: what is shared stays so, but for the pages that references are counted in.
private=$(dirty strings 8192 3 private_kib)
shared=$(of shared_kib full)
within "$private" $((3 * 4096)) $((3 * 8192)) 'three forked processes: each has half of 8 MiB of its own'
within "$shared" $((3 * 4096 * 8 / 10)) $((3 * 8192)) 'and shares half'
done_testing
