#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A QEMU that is stopped or killed at any moment of a guest's life ends its probe soon, with a reason that says what it was, and with
# what QEMU left behind for a post-mortem.
. tests/system/lib.sh
build_image
tool=$PWD/build/tests/system/probe-command
fill='
import os, time
held = []
while True:
    held.append(os.urandom(1 << 20))
    time.sleep(0.02)'

# life PHASE SIGNAL: a guest whose QEMU gets that signal when the phase begins
life() {
	"$tool" --signal "$1" "$2" 96 /usr/bin/python3 -c "$fill" > "$dir/life" 2>&1
	sed 's/^/# /' "$dir/life"
	took=$(sed -n 's/^since the signal \([0-9.]*\) s$/\1/p' "$dir/life")
}

# Seconds are since the signal. Deadlines are 80 s and more here: a stopped process is told from a slow guest.
for phase in boot load evidence; do
	life $phase 19
	[ $phase = boot ] && outcome=boot-fail || outcome=agent-lost
	has "$dir/life" "^$outcome: QEMU was stopped from outside, as by SIGSTOP" "a QEMU that is stopped in phase $phase"
	has "$dir/life" '^QEMU: stopped' 'is so in the post-mortem'
	within "$took" 0 75 'and does not take until the deadline'
done
life load 9
has "$dir/life" '^agent-lost: QEMU ended unasked, with signal 9 \(Killed\)' 'a QEMU that is killed'
has "$dir/life" '^QEMU: signal 9 \(Killed\)' 'is so in the post-mortem'
has "$dir/life" '^qemu.log: [0-9]{3,} bytes' 'beside its log'
life start 19
has "$dir/life" '^boot-fail: the guest was not started: .*creating the guest took more than 30 s' 'a QEMU that hangs while it is created'
within "$took" 25 75 'does not hang libvirt'
done_testing
