#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Workloads that mean harm, as a plan's own: each ends soon, in an outcome with a reason, and the campaign goes on. One that hangs
# is met with its deadline of ten minutes in tests/sim only.
. tests/system/lib.sh
build_image
cp -r tests/data/hostile-workloads "$dir/mine"
tool=$PWD/build/tests/system/probe-command

plan hostile 'guest: {ram_mib: 160}' 'method: [growth, displacement]' 'start: restore' 'workloads: mine' \
	'interpreters: {nowhere: {command: /usr/bin/nowhere}}' 'loads:' \
	'  - {workload: exits, interpreter: nowhere, method: growth}' \
	'  - {workload: strings, interpreter: python2.7, method: growth}' \
	'  - {workload: [exits, fails, speaks-garbage, forks, kills], interpreter: none, method: growth}' \
	'  - {workload: [allocates, closes, locks, forks-heavily, breaks-out, floods-bytes, floods-lines], interpreter: python3, method: growth}' \
	'  - {workload: exits, interpreter: none, method: displacement}'
run "$dir/h.swapcal"
is $? 5 'the campaign comes to its end; some probes are lost'
explain "$dir/err"
has "$dir/err" '6 replicates answered, 9 lost, 1 not applicable' 'as many as there must be'

# ends METHOD WORKLOAD OUTCOME: each of its probes ended so; the outcome with its reason may have a pattern
sqlite3 "$dir/h.swapcal" "SELECT (identity ->> 'method') || ' ' || (identity ->> 'workload') || ' ' || outcome || ': ' || reason
	FROM probe JOIN cell ON cell.key = probe.cell_key" > "$dir/outcomes"
ends() {
	grep "^$1 $2 " "$dir/outcomes" > "$dir/ends"
	[ -s "$dir/ends" ] && ! grep -vqE "^$1 $2 $3\$" "$dir/ends"
	found=$?
	ok $found "$1 of '$2': $3"
	[ $found -eq 0 ] || explain "$dir/ends"
}
ends growth exits "(no-onset: the workload ended before the guest swapped|invalid: the load does not start: cannot execute \
'/usr/bin/nowhere': No such file or directory)"
has "$dir/outcomes" "^growth exits invalid: the load does not start: .*/usr/bin/nowhere" 'an interpreter that is not there is the second'
ends growth strings "not-applicable: image 'bookworm' has no 'python2.7', which interpreter 'python2.7' is"
ends displacement exits 'invalid: the load ended by itself'
ends growth fails 'invalid: the load failed with status 3: fails: there is no input'
ends growth speaks-garbage "invalid: the load wrote .* what is not a checkpoint: 'chekpoint \?\[2J step-1'"
ends growth floods-bytes "invalid: the load wrote .* what is not a checkpoint: 'x+'"
ends growth floods-lines "invalid: the load wrote .* what is not a checkpoint: ''"
ends growth forks 'invalid: the load wants more than 512 processes and threads at a time: .*Cannot fork'
ends growth kills 'invalid: the load died of signal 9'
ends growth allocates 'onset: '
ends growth closes 'onset: '
ends growth forks-heavily 'onset: '
ends growth locks 'oom: the guest ran out of memory and swap, and its kernel killed the load'
ends growth breaks-out 'no-onset: the workload ended before the guest swapped'

"$swapcal" status "$dir/h.swapcal" > "$dir/status"
is "$(grep -cE ': (invalid|oom): ' "$dir/status")" 18 'status names each probe that was lost'
"$swapcal" report "$dir/h.swapcal" > "$dir/report"
is $? 0 'there is a report'
has "$dir/report" 'fails on none.*: invalid .*: the load failed with status 3: fails: there is no input' 'which has the reasons'
is "$(sqlite3 "$dir/h.swapcal" "SELECT count(*) FROM run, json_each(audit ->> '\$.workloads.files')")" \
	"$(ls tests/data/hostile-workloads | wc -l)" 'the audit has the files that were run'
within "$(sqlite3 "$dir/h.swapcal" 'SELECT max(phase_load_ms + phase_settle_ms) / 1000.0 FROM probe')" 0 590 'none came near its deadline'

# ask COMMAND...: a guest of its own for one workload, in which samples must be regular: a tick is 20 ms
ask() {
	"$tool" --user tests/data/hostile-workloads 160 "$@" > "$dir/ask" 2>&1
	sed 's/^/# /' "$dir/ask"
}
longest_gap() {
	sed -n 's/.*longest gap \([0-9]*\) ms/\1/p' "$dir/ask"
}

# A busy host makes gaps as well, but not always.
for _ in $(seq 20); do
	ask /mnt/churns
	[ "$(longest_gap)" -gt 200 ] || break
done
has "$dir/ask" '^no-onset: the workload ended before' 'processes that come and go without end'
within "$(longest_gap)" 20 200 'do not keep the agent from sampling'
ask /mnt/reopens
has "$dir/ask" '^no-onset: the workload ended before' 'what programs without rights must be able to do'
has "$dir/ask" '^answer: go' 'they open their descriptors by name'
has "$dir/ask" '^65534' 'and are nobody'

chmod -x "$dir/mine/exits"
run "$dir/x.swapcal"
is $? 2 'a program that is not executable is an error of the plan'
has "$dir/err" "plan.yaml:11: workload 'exits' runs without an interpreter, but is not executable" 'with its line'
is "$(guests hostile-$$)" 0 'no guest is left'
done_testing
