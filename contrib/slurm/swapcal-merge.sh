#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Merges the results of an array of swapcal-array.sh to OUT, and prints the report.
#
#   sbatch --dependency=afterany:JOB swapcal-merge.sh OUT N
#
# Only OUT.shards/1-of-N.swapcal to N-of-N.swapcal are merged. A former OUT is kept as OUT.~1~, OUT.~2~ and so on.
# Exit status: 0 all is answered, 5 some shards are missing, or some of their replicates are lost or not yet answered,
# else that of the command that failed.
#SBATCH --job-name=swapcal-merge
set -u

fail() {
	echo "swapcal-merge.sh: $*" >&2
	exit 2
}

[ $# -eq 2 ] || fail 'usage: swapcal-merge.sh OUT N'
out=$1
n=$2
swapcal=${SWAPCAL:-swapcal}

# A journal belongs to a file by its name: SQLite would play that of the former OUT into the new one.
for suffix in -lock -wal -journal; do
	[ ! -e "$out$suffix" ] || fail "there is '$out$suffix': a run of 'swapcal run -o $out' is under way, or has died;" \
		"let it come to its end, or move '$out' away with all that begins with its name and -"
done

missing=
set --
k=1
while [ "$k" -le "$n" ]; do
	if [ -e "$out.shards/$k-of-$n.swapcal" ]; then
		set -- "$@" "$out.shards/$k-of-$n.swapcal"
	else
		missing="$missing $k"
	fi
	k=$((k + 1))
done
[ $# -gt 0 ] || fail "there are no results in '$out.shards'"

# Remove what a killed merge left. OUT itself is never without content.
rm -f -- "$out.new"
"$swapcal" merge "$out.new" "$@" || exit
mv --backup=numbered --no-target-directory -- "$out.new" "$out" || exit
"$swapcal" report "$out" || exit

# number KEY: of the status
number() {
	sed -n "s/^  \"$1\": \([0-9]*\),*\$/\1/p" "$out.status"
}

"$swapcal" status "$out" --format json > "$out.status" || exit
total=$(number total)
[ -n "$total" ] || fail "cannot read the status of '$out'"
answered=$(($(number 'done') + $(number not_applicable)))
lost=$(number failed)
rm -f -- "$out.status"
if [ -n "$missing" ]; then
	echo "swapcal-merge.sh: shards without results, of $n:$missing" >&2
fi
if [ "$answered" -lt "$total" ]; then
	echo "swapcal-merge.sh: $((total - answered)) of $total replicates are not answered, $lost of them lost;" \
		"'swapcal status' tells why, and the same submit.sh again goes on" >&2
fi
[ -z "$missing" ] && [ "$answered" -eq "$total" ] || exit 5
