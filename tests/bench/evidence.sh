#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What a snapshot costs: all evidence of 8 PyPy processes of some 20 MiB each, against one listing of the same processes by smem in the same
# guest. The load stands still from the order to freeze until the last byte is with the host. Usage: evidence.sh [ROUNDS]
set -eu
rounds=${1:-3}
B=${B:-build}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
./swapcal image build bookworm >&2
"$B/tests/bench/evidence" "$rounds" > "$dir/rounds"

# median COLUMN: of the rounds
median() {
	cut -f "$1" "$dir/rounds" | sort -n |
		awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

smem=$(median 1)
frozen=$(median 3)
echo "snapshot of 8 PyPy processes, medians of $rounds rounds in one guest"
echo "  smem      $smem us"
echo "  evidence  $(median 2) us"
echo "  frozen    $frozen us"
echo "  ratio     $(echo "$frozen $smem" | awk '{ printf "%.3f", $1 / $2 }') (asked for: 0.100)"
