#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# How long it takes to judge a results file again with every shipped metric: a file of 1,000 snapshots of 8 processes, all made of one
# that a guest gave. Each round reads it anew; what the host has in its page cache stays there.
# Usage: rejudge.sh [ROUNDS]
set -eu
rounds=${1:-3}
. tests/bench/lib.sh
known "$dir/one.swapcal"
"$B/tests/bench/rejudge" make "$dir/one.swapcal" "$dir/many.swapcal" 1000 8
du -k "$dir/many.swapcal" | awk '{ printf "%-24s %8.1f MiB\n", "file", $1 / 1024 }'
for round in $(seq "$rounds"); do
	echo "round $round"
	"$B/tests/bench/rejudge" time "$dir/many.swapcal"
done
