#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What goes wrong ends in a clear message or outcome, with no guest left behind.
. tests/system/lib.sh
build_image
tool=$PWD/build/tests/system/probe-command

# outcome_of [--root] RAM COMMAND...: what became of a guest with that load
outcome_of() {
	"$tool" "$@" > "$dir/outcome" 2>&1
	sed 's/^/# /' "$dir/outcome"
}

outcome_of --root 96 /bin/sh -c 'echo c > /proc/sysrq-trigger; sleep 3600'
has "$dir/outcome" '^agent-lost: guest panic: Kernel panic' 'a guest that panics'
outcome_of --root 96 /usr/bin/python3 -c '
import re
for line in open("/proc/1/maps"):
    m = re.match("([0-9a-f]+)-([0-9a-f]+) r-x", line)
    if m:
        start, end = int(m[1], 16), int(m[2], 16)
        with open("/proc/1/mem", "r+b", buffering=0) as f:
            f.seek(start)
            f.write(bytes(end - start))
        break
import time
time.sleep(3600)'
has "$dir/outcome" '^agent-lost: guest panic: .*kill init' 'an agent that crashes'
outcome_of 96 /nonexistent
has "$dir/outcome" "^invalid: the load does not start: .*/nonexistent.*No such file" 'a program that is not there'
outcome_of 96 /usr/bin/python3 /nonexistent.py
has "$dir/outcome" "^invalid: the load failed with status 2: .*No such file" 'a script that is not there'
outcome_of 96 /bin/true
has "$dir/outcome" '^no-onset: the workload ended before' 'a workload that ends at once'
outcome_of 40 /bin/true
has "$dir/outcome" '^boot-fail: ' 'a guest too small to boot'

# growing INTERPRETER [IMAGE]: a plan
growing() {
	plan faults 'guest: {ram_mib: [96]}' 'method: [growth]' "loads: [{workload: strings, interpreter: [$1]}]"
	sed -i "s/bookworm/${2:-bookworm}/" "$dir/plan.yaml"
}

growing python9
run "$dir/x.swapcal"
is $? 2 'an interpreter the image lacks is an error of the plan'
has "$dir/err" "plan.yaml:5: no interpreter 'python9'.*python3" 'with line, and what there is'
growing python3 nonesuch
run "$dir/x.swapcal"
is $? 3 'an image that is not built makes the host unsuitable'
has "$dir/err" 'swapcal image build nonesuch' 'and the error says what to run'

# interrupt SIGNAL: a run that gets the signal in its second probe
interrupt() {
	rm -f "$dir/i.swapcal"*
	run "$dir/i.swapcal" &
	pid=$!
	until grep -q 'of about' "$dir/err" || ! kill -0 $pid 2> /dev/null; do sleep 0.2; done
	until [ "$(guests faults-$$)" -ge 1 ] || ! kill -0 $pid 2> /dev/null; do sleep 0.1; done
	sleep 2
	kill -"$1" "$(cat "$dir/i.swapcal-lock")"
	wait $pid
}

growing python3
interrupt TERM
is $? 130 'SIGTERM ends a run'
is "$(guests faults-$$)" 0 'with its guest'
is "$(probes "$dir/i.swapcal")" 1 'and keeps the finished probe'
interrupt KILL
is "$(guests faults-$$)" 1 'SIGKILL leaves the guest behind'
run "$dir/i.swapcal" &
wait_until $hangs_s grep -q 'of about' "$dir/err"
kill -TERM "$(cat "$dir/i.swapcal-lock")"
wait $!
has "$dir/err" 'ended 1 guest' 'the next run ends it, and says so'
is "$(guests faults-$$)" 0 'no guest is left'
within "$(probes "$dir/i.swapcal")" 1 3 'nothing recorded was lost'
done_testing
