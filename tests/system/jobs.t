#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Guests side by side: each on its share of the CPUs, seen while they run, and the same threshold as one at a time.
. tests/system/lib.sh
build_image

# plan FILE REPLICATES
plan() {
	printf 'name: jobs-%s\nimage: bookworm\nguest: {ram_mib: 144}\nmethod: threshold\nreplicates: %s\n' $$ "$2" > "$1"
}

# z FILE: Z* in MiB with its interval
z() {
	"$swapcal" report "$1" --format json > "$dir/report"
	jq -r '.thresholds[0] | "\(.z_mib) \(.z_lo_mib) \(.z_hi_mib)"' "$dir/report"
}

plan "$dir/one.yaml" 1
plan "$dir/two.yaml" 2
"$swapcal" run "$dir/one.yaml" -o "$dir/one.swapcal" 2> "$dir/err"
is $? 0 'a search with one guest at a time'

"$swapcal" run "$dir/two.yaml" -o "$dir/two.swapcal" --jobs 2 2> "$dir/err" &
pid=$!
until [ "$(guests jobs-$$)" -eq 2 ] || ! kill -0 $pid 2> /dev/null; do sleep 0.2; done
sleep 1
"$swapcal" status "$dir/two.swapcal" --format json > "$dir/status"
is "$(jq -r '"\(.running) \(.jobs) \(.guests | length)"' "$dir/status")" '2 2 2' 'two guests run, as the status shows'
for qemu in $(pgrep -f "qemu-system.*guest=swapcal-jobs-$$"); do
	sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/"$qemu"/task/*/status | sort -u
done > "$dir/cpus"
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

"$swapcal" run "$dir/one.yaml" -o "$dir/x.swapcal" --jobs 0 2> "$dir/err"
is $? 2 'no guests at all are a wrong usage'
sed 's/144/60000/' "$dir/one.yaml" > "$dir/large.yaml"
"$swapcal" run "$dir/large.yaml" -o "$dir/x.swapcal" --jobs 2 2> "$dir/err"
is $? 3 'guests that do not fit into the memory of this host are refused'
has "$dir/err" 'MiB are available' 'and told how much there is'
done_testing
