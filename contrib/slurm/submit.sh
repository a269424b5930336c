#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs a plan as N shards on a Slurm cluster, then merges them to OUT and writes the report to OUT.report.
#
#   submit.sh PLAN OUT N[%MAX] [SBATCH OPTION]...
#
# At most MAX shards run at a time. The options are for both jobs. The same command again goes on with what
# OUT.shards has. See README.md.
set -u

fail() {
	echo "submit.sh: $*" >&2
	exit 2
}

[ $# -ge 3 ] || fail 'usage: submit.sh PLAN OUT N[%MAX] [SBATCH OPTION]...'
tasks=$3
n=${tasks%%%*}
case $n in '' | *[!0-9]* | 0*) fail "'$tasks' is no number of shards" ;; esac
plan=$(realpath -e -- "$1") || exit
out=$(realpath -m -- "$2") || exit
shift 3

# sbatch runs copies of the scripts, which cannot look around themselves.
here=$(dirname -- "$(realpath -- "$0")")
if [ -z "${SWAPCAL:-}" ]; then
	SWAPCAL=$here/../../swapcal
	[ -x "$SWAPCAL" ] || SWAPCAL=$(command -v swapcal) || fail "no swapcal in PATH; say where it is in \$SWAPCAL"
fi
export SWAPCAL
# Report a mistake in the plan now, not in each of N logs.
"$SWAPCAL" run --dry-run --shard "1/$n" -- "$plan" > /dev/null || exit

(umask 077 && mkdir -p -- "$out.shards") || exit
# % has a meaning in names of Slurm's output.
logs=$(printf '%s\n' "$out" | sed 's/%/%%/g')
array=$(sbatch --parsable "$@" --array="1-$tasks" --output="$logs.shards/%a-of-$n.log" \
	"$here/swapcal-array.sh" "$plan" "$out" "$n") || exit
array=${array%%;*}
merge=$(sbatch --parsable "$@" --dependency="afterany:$array" --output="$logs.report" \
	"$here/swapcal-merge.sh" "$out" "$n") || exit
echo "array $array, merge ${merge%%;*}"
