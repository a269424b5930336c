#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A task of a Slurm array: one shard of a plan. The results are in OUT.shards/K-of-N.swapcal, and a task that is queued
# again, by Slurm or by you, goes on with them.
#
#   sbatch --array=1-N swapcal-array.sh PLAN OUT [N]
#
# N is needed when only some tasks are submitted again, such as --array=3,7. See README.md for variables.
#SBATCH --job-name=swapcal
#SBATCH --requeue
#SBATCH --open-mode=append
# Time to end the guests and to close the results before the job's limit.
#SBATCH --signal=B:TERM@60
set -u

fail() {
	echo "swapcal-array.sh: $*" >&2
	exit 2
}

# time_left: of the job, less two minutes for what comes after the last probe; nothing where there is no limit
time_left() {
	squeue --noheader --job "$SLURM_JOB_ID" --format=%L 2> /dev/null | awk -F: '/^[0-9]/ {
		if (split($1, day, "-") == 2) { s = 24 * day[1] + day[2] } else s = $1
		for (i = 2; i <= NF; i++) s = 60 * s + $i
		if (s > 240) print s - 120 "s"
	}'
}

case $# in 2 | 3) ;; *) fail 'usage: sbatch --array=1-N swapcal-array.sh PLAN OUT [N]' ;; esac
[ -n "${SLURM_ARRAY_TASK_ID:-}" ] || fail 'no task of an array; submit it with sbatch --array=1-N'
if [ $# -eq 2 ] && [ "$SLURM_ARRAY_TASK_MIN:$SLURM_ARRAY_TASK_MAX" != "1:$SLURM_ARRAY_TASK_COUNT" ]; then
	fail 'the array is not 1-N; say how many shards there are: swapcal-array.sh PLAN OUT N'
fi
plan=$1
out=$2
n=${3:-$SLURM_ARRAY_TASK_COUNT}
k=$SLURM_ARRAY_TASK_ID

(umask 077 && mkdir -p -- "$out.shards") || exit 1
set -- -o "$out.shards/$k-of-$n.swapcal" --shard "$k/$n"
limit=${SWAPCAL_TIME_LIMIT:-$(time_left)}
if [ -n "$limit" ]; then
	set -- "$@" --time-limit "$limit"
fi
# swapcal replaces this shell, so that Slurm's signals reach it. The options are split at blanks.
# shellcheck disable=SC2086
exec "${SWAPCAL:-swapcal}" run "$@" ${SWAPCAL_RUN_OPTIONS:-} -- "$plan"
