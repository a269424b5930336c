#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Guests side by side: each on its share of the CPUs, seen while they run, and the same threshold as one at a time.
. tests/system/lib.sh
build_image

# search REPLICATES
search() {
	plan jobs 'guest: {ram_mib: 96}' 'method: threshold' 'start: restore' "replicates: $1"
}

# z FILE: Z* in MiB with its interval
z() {
	"$swapcal" report "$1" --format json > "$dir/report"
	jq -r '.thresholds[0] | "\(.z_mib) \(.z_lo_mib) \(.z_hi_mib)"' "$dir/report"
}

search 1
run "$dir/one.swapcal"
is $? 0 'a search with one guest at a time'

# has_two: both guests run, or it is over; what the status says of them, and their CPUs, go to files
has_two() {
	has_ended $pid && return
	"$swapcal" status "$dir/two.swapcal" --format json | jq -r '"\(.running) \(.jobs) \(.guests | length)"' > "$dir/status"
	for qemu in $(pgrep -f "qemu-system.*guest=swapcal-jobs-$$"); do
		sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/"$qemu"/task/*/status | sort -u
	done > "$dir/cpus"
	[ "$(cat "$dir/status")" = '2 2 2' ] && [ "$(wc -l < "$dir/cpus")" -eq 2 ]
}

search 2
run "$dir/two.swapcal" --jobs 2 &
pid=$!
wait_until $hangs_s has_two
is "$(cat "$dir/status")" '2 2 2' 'two guests run, as the status shows'
if [ "$(nproc)" -ge 2 ]; then
	is "$(wc -l < "$dir/cpus") $(sort -u "$dir/cpus" | wc -l)" '2 2' 'each on CPUs that the other has not'
fi
wait $pid
is $? 0 'two searches side by side'
is "$("$swapcal" status "$dir/two.swapcal" --format json | jq -r '"\(.done) \(.total) \(.failed)"')" '2 2 0' 'both find an answer'

one=$(z "$dir/one.swapcal")
two=$(z "$dir/two.swapcal")
echo "# Z* with its 95 % interval: $one; side by side $two"
# Searches of one guest differ by up to half a MiB: what they are asked for.
echo "$one $two" | awk '{ exit !($2 - 0.5 <= $6 && $5 <= $3 + 0.5) }'
ok $? 'and Z* is the same'

run "$dir/x.swapcal" --jobs 0
is $? 2 'no guests at all are a wrong usage'
sed -i "s/ram_mib: 96/ram_mib: $(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)/" "$dir/plan.yaml"
run "$dir/x.swapcal" --jobs 2
is $? 3 'guests that do not fit into the memory of this host are refused'
has "$dir/err" 'MiB are available' 'and told how much there is'
done_testing
