#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Where a guest begins to swap with a ballast beside a load, by ramps and by ballasts of fixed size that stay: a cross-check of how loads
# are displaced. The fixed ones go up after a no and down after a yes, by half as much after each turn. The last line is the mean of the
# latter half of them. Usage: beside.sh RAM_MIB FILE KIB COMMAND...; FILE is one of guest/workloads, COMMAND an interpreter of the image:
# beside.sh 384 lines.py 20480 /usr/bin/python3
set -eu
[ $# -ge 4 ] || { sed -n 's/^# .*Usage: \(.*\); FILE.*/\1/p' "$0" >&2; exit 2; }
ram=$1 file=$2 kib=$3
shift 3

# ask MIB COMMAND...: $outcome, and what the ballast had come to in $ballast
ask() {
	mib=$1
	shift
	build/tests/system/probe-command --user guest/workloads --beside "$mib" "$ram" "$@" "/mnt/$file" --mode hold --size-kib "$kib" > "$dir/out"
	outcome=$(sed -n 's/^\([a-z-]*\): .*/\1/p;q' "$dir/out")
	ballast=$(sed -n 's/^ballast: \(.*\) MiB$/\1/p' "$dir/out")
}

. tests/bench/lib.sh
make -s build/tests/system/probe-command
at=
for _ in 1 2 3; do
	ask "$ram" "$@"
	echo "ramp: $outcome at $ballast"
	at="$at $ballast"
done
at=$(echo "$at" | awk '{ print ($1 + $2 + $3) / 3 }')
step=2
last=
for n in $(seq 12); do
	ask "$at" "$@"
	echo "fixed $at: $outcome"
	[ "$n" -le 6 ] || echo "$at" >> "$dir/latter"
	[ -z "$last" ] || [ "$outcome" = "$last" ] || step=$(echo "$step" | awk '{ print $1 > 0.5 ? $1 / 2 : 0.5 }')
	last=$outcome
	case $outcome in
	onset) at=$(echo "$at $step" | awk '{ print $1 - $2 }') ;;
	no-onset) at=$(echo "$at $step" | awk '{ print $1 + $2 }') ;;
	*) cat "$dir/out" >&2; exit 1 ;;
	esac
done
awk '{ sum += $1 } END { printf "fixed: %.1f MiB\n", sum / NR }' "$dir/latter"
