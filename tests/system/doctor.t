#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The doctor says of this host what the other tests find out by using it: it can run guests.
. tests/system/lib.sh
build_image

"$swapcal" doctor > "$dir/out" &
pid=$!
wait $pid
is $? 0 'a host that runs the other tests is fit'
sed 's/^/# /' "$dir/out"
has "$dir/out" '^CHECK KVM boots a kernel +(PASS|WARN): ' 'with a verdict on KVM'
has "$dir/out" '^CHECK a guest boots to its agent.s hello +PASS' 'a guest of the image says hello'
has "$dir/out" '^CHECK QEMU does not run as root +PASS' 'QEMU is not root'
has "$dir/out" '^CHECK QEMU is in a sandbox +PASS' 'nor may it start anything'
"$swapcal" doctor --format json > "$dir/json"
has "$dir/json" '"tool_version"' 'programs can read it too'
is "$(guests doctor-$pid)" 0 'no guest is left'
done_testing
