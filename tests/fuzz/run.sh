#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# run.sh BUILD SECONDS TARGET...: fuzzes each target for so long, two at a time at most. What an input that fails was is
# kept in BUILD/failed; inputs that reach more of the program are kept in BUILD/corpus and are where the next run
# goes on.
set -u
build=$1
seconds=$2
shift 2
export build seconds

# An input larger than the largest piece of a file that a guest sends only takes time; one that takes 10 s hangs.
fuzz() {
	target=$1
	mkdir -p "$build/failed" "$build/corpus/$target" "$build/seeds"
	rm -rf "$build/seeds/$target"
	tests/fuzz/seeds.sh "$target" "$build/seeds/$target" || exit 1
	log=$build/$target.log
	if "$build/tests/fuzz/$target" -max_total_time="$seconds" -timeout=10 -max_len=32768 -rss_limit_mb=4096 \
		-print_final_stats=1 -artifact_prefix="$build/failed/$target-" \
		"$build/corpus/$target" "$build/seeds/$target" > "$log" 2>&1; then
		sed -n "s/^stat::number_of_executed_units: */$target: inputs: /p" "$log"
		exit 0
	fi
	echo "$target: FAILED, see $log; the input is in $build/failed, try it again with:"
	sed -n "s|.*Test unit written to \(.*\)|  $build/tests/fuzz/$target \1|p" "$log"
	exit 1
}

if [ "${1-}" = --one ]; then
	fuzz "$2"
fi
printf '%s\n' "$@" | xargs -P 2 -n 1 "$0" "$build" "$seconds" --one
