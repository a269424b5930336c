#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What a second guest at a time brings: the same four probes, of workloads that take about equally long, run by `swapcal run --jobs 1` and
# `--jobs 2`, everything from reading the plan to the closed results file. Rounds begin with the one and the other in turn, since a shared machine's speed drifts. Not shown: a search
# for Z*, whose next probe depends on the last one's answer.
# Usage: jobs.sh [ROUNDS]
set -eu
rounds=${1:-3}
. tests/bench/lib.sh
probes=4
known "$dir/known.swapcal"
plan 'lists, dicts, tuples, instances' "$dir/plan.yaml"

# timed JOBS: runs the probes, their wall time in ms to a file
timed() {
	cp "$dir/known.swapcal" "$dir/run.swapcal"
	begin=$(date +%s%N)
	./swapcal run "$dir/plan.yaml" -o "$dir/run.swapcal" --jobs "$1" 2> "$dir/run.err" || { cat "$dir/run.err" >&2; exit 1; }
	echo $((($(date +%s%N) - begin) / 1000000)) >> "$dir/jobs$1"
	grep -q "^swapcal: $probes probes run" "$dir/run.err" || { cat "$dir/run.err" >&2; exit 1; }
}

for round in $(seq "$rounds"); do
	if [ $((round % 2)) = 1 ]; then timed 1; timed 2; else timed 2; timed 1; fi
	echo "round $round of $rounds: jobs 1 $(tail -n 1 "$dir/jobs1") ms, jobs 2 $(tail -n 1 "$dir/jobs2") ms" >&2
done
one=$(median < "$dir/jobs1")
two=$(median < "$dir/jobs2")
echo "a campaign of $probes growth probes of 128 MiB guests on $(nproc) CPUs, medians of $rounds rounds"
for jobs in 1 2; do
	ms=$(median < "$dir/jobs$jobs")
	echo "  jobs $jobs     $ms ms, $((probes * 3600000 / ${ms%.*})) probes an hour"
done
echo "  throughput $(ratio "$one" "$two") times as much with jobs 2 (goal on two cores: 1.70)"
