#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A wall clock that jumps by hours, back and forth, every two seconds: nothing that is measured or waited for depends on it.
. tests/system/lib.sh
build_image

if ! ${CC:-gcc} -shared -fPIC -o "$dir/clock-jump.so" tests/data/clock-jump.c 2> "$dir/cc.err"; then
	explain "$dir/cc.err"
	ok 1 'the clock is compiled'
	done_testing
fi
first=$(LD_PRELOAD=$dir/clock-jump.so date +%s)
sleep 2
second=$(LD_PRELOAD=$dir/clock-jump.so date +%s)
within $(((second - first) * (second - first))) 400000000 500000000 'the clock jumps by six hours'

small_plan clock
start=$(date +%s)
LD_PRELOAD=$dir/clock-jump.so "$swapcal" run "$dir/plan.yaml" -o "$dir/c.swapcal" 2> "$dir/err"
is $? 0 'a campaign ends'
explain "$dir/err"
took=$(($(date +%s) - start))
ask() {
	sqlite3 "$dir/c.swapcal" "$1"
}
is "$(ask "SELECT outcome, reason FROM probe WHERE outcome NOT IN ('onset', 'no-onset')")" '' 'no guest is given up'
sum='phase_start_ms + phase_boot_ms + phase_prepare_ms + phase_load_ms + phase_settle_ms + phase_evidence_ms + phase_teardown_ms'
within "$(ask "SELECT min(min(phase_start_ms, phase_boot_ms, phase_prepare_ms, phase_load_ms, phase_settle_ms, phase_evidence_ms, \
	phase_teardown_ms)) FROM probe")" 0 $((hangs_s * 1000)) 'no phase took a negative time'
within "$(ask "SELECT sum($sum) / 1000 FROM probe")" 1 $took 'all together took as long as the campaign'
grep -oE '[0-9.]+ h' "$dir/err" > "$dir/hours"
none "$dir/hours" 'no estimate is in hours'
# What has only minutes left is said in minutes also where the file is looked at.
LD_PRELOAD=$dir/clock-jump.so "$swapcal" status "$dir/c.swapcal" > "$dir/status"
is $? 0 'its status can be looked at'
is "$(guests clock-$$)" 0 'no guest is left'
done_testing
