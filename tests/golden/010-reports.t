#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What is said of a results file stays the same to the byte. campaign.swapcal is of real guests (80 and 96 MiB, kernel 6.1, TCG: the cells of
# its plan, 23 probes); the outputs beside it were looked at before they were kept. Who means to change what a report says, or
# adds a metric, writes them anew with UPDATE_GOLDEN=1 and commits what `git diff` then shows.
. tests/lib.sh

# same_output STATUS NAME ARGUMENT...
same_output() {
	want_status=$1
	name=$2
	shift 2
	./swapcal "$@" > "$dir/$name" 2> "$dir/err"
	status=$?
	[ -z "${UPDATE_GOLDEN-}" ] || cp "$dir/$name" "tests/golden/$name"
	[ $status -eq "$want_status" ] && [ -s "$dir/$name" ] && diff "tests/golden/$name" "$dir/$name" > "$dir/diff"
	same=$?
	ok $same "swapcal $*"
	[ $same -eq 0 ] || explain "$dir/diff"
}

# A copy, so that SQLite leaves nothing in the source tree.
cp tests/golden/campaign.swapcal "$dir/campaign.swapcal"
same_output 0 report.txt report "$dir/campaign.swapcal"
same_output 0 predict.txt report "$dir/campaign.swapcal" --predict 128,512 --margin 3
same_output 0 report.csv report "$dir/campaign.swapcal" --format csv
same_output 0 report.json report "$dir/campaign.swapcal" --format json
same_output 4 validate.txt validate pss "$dir/campaign.swapcal" --margin 3
done_testing
