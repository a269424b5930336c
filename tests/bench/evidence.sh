#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What a snapshot costs: all evidence of 8 PyPy processes of some 20 MiB each, against one listing of the same processes by smem in the same
# guest. The load stands still from the order to freeze until the last byte is with the host. Usage: evidence.sh [ROUNDS]
set -eu
rounds=${1:-3}
. tests/bench/lib.sh
"$B/tests/bench/evidence" "$rounds" > "$dir/rounds"

# column N: the median of a column of the rounds
column() {
	cut -f "$1" "$dir/rounds" | median
}

smem=$(column 1)
frozen=$(column 3)
echo "snapshot of 8 PyPy processes, medians of $rounds rounds in one guest"
echo "  smem      $smem us"
echo "  evidence  $(column 2) us"
echo "  frozen    $frozen us"
echo "  ratio     $(echo "$frozen $smem" | awk '{ printf "%.3f", $1 / $2 }') (asked for: 0.100)"
