#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Every workload comes to the checkpoints of its mode, in order, under every interpreter; or says why it cannot.
. tests/workloads/lib.sh

hold='build-1 build-2 build-3 build-4 build-5 build-6 build-7 build-8 full round-1 round-2 exit=0'
grow='step-1 step-2 exit=0'

# may_lack WORKLOAD MODE INTERPRETER: is it right to say that this cannot be had?
may_lack() {
	case "$1:$2:$3" in
	bare:grow:* | modules:grow:* | richards:grow:* | nbody:grow:*) return 0 ;;
	oldstyle:*:*) [ "$3" != python2.7 ] ;;
	sympy_expand:*:*) ! "$3" -c 'import sympy' 2> /dev/null ;;
	lxml_tree:*:*) ! "$3" -c 'import lxml.etree' 2> /dev/null ;;
	*) return 1 ;;
	esac
}

# comes_to WANT WORKLOAD MODE COMMAND...
comes_to() {
	want=$1 name=$2 mode=$3
	shift 3
	got=$(control --look none -- "$@" --mode "$mode" --size-kib 128 --step-kib 16 --seed 3 --rounds 2 | names)
	if [ "$got" = exit=77 ] && may_lack "$name" "$mode" "$1"; then
		is "$(wc -l < "$dir/err")" 1 "$1 $name $mode: one line says why it cannot be had"
	else
		is "$got" "$want" "$1 $name $mode: checkpoints in order"
		explain "$dir/err"
	fi
}

for python_ in $(pythons); do
	for name in $(scripts); do
		comes_to "$hold" "$name" hold "$python_" "$(script "$name")"
		# Growing is the same in all Pythons.
		[ "$python_" != "$python" ] || comes_to "$grow" "$name" grow "$python_" "$(script "$name")"
	done
done
if lua5.4 -v > /dev/null 2>&1; then
	comes_to "$hold" strings hold lua5.4 $workloads/strings.lua
	comes_to "$grow" strings grow lua5.4 $workloads/strings.lua
else
	skip 'lua5.4 is not installed'
fi
is "$($python $workloads/strings.py --size-kib 64 --step-kib 8 --rounds 2 && echo runs)" runs \
	'a workload that nobody drives just runs'
done_testing
