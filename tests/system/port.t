#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A guest that turns on us: its root takes the agent's line and writes what it likes, or kills what it can. tests/sim/hostile.c has the
# agents that lie in the right form.
. tests/system/lib.sh
build_image
tool=$PWD/build/tests/system/probe-command

# life NAME PYTHON: a guest in which root runs that, with the agent's line as the file descriptor `line`
life() {
	"$tool" --root 96 /usr/bin/python3 -c "
import ctypes, os, time
call = ctypes.CDLL(None, use_errno=True).syscall
line = -1
for name in os.listdir('/proc/1/fd'):
    if 'vport' in os.readlink('/proc/1/fd/' + name):
        # pidfd_open() and pidfd_getfd()
        line = call(438, call(434, 1, 0), int(name), 0)
if line < 0:
    print('no line', [os.readlink('/proc/1/fd/' + n) for n in os.listdir('/proc/1/fd')])
$2" > "$dir/life" 2>&1
	sed 's/^/# /' "$dir/life"
	within "$(took "$dir/life")" 1 590 "$1: the probe ends before its deadline"
}

life garbage '
os.write(line, os.urandom(4096))
time.sleep(3600)'
has "$dir/life" '^agent-lost: .*frame' 'garbage on the line is no frame'
life flood '
junk = os.urandom(1 << 16)
for i in range(1 << 12):
    os.write(line, junk)'
has "$dir/life" '^agent-lost: .*frame' 'nor is a flood of it'
life zeros '
os.write(line, bytes(1 << 20))
time.sleep(3600)'
has "$dir/life" '^agent-lost: .*frame' 'nor are zeros'
life 'no agent' '
os.kill(1, 9)
os.system("kill -9 -1; kill -STOP 1")
time.sleep(20)'
has "$dir/life" '^(no-onset|invalid): ' 'nobody kills process 1: it tells of the end of the load'

"$tool" 96 /usr/bin/python3 -c '
import os
held = []
while True:
    held.append(os.urandom(1 << 20))' > "$dir/life" 2>&1
sed 's/^/# /' "$dir/life"
has "$dir/life" '^onset: ' 'a load without end is frozen at its onset'
"$tool" --root 96 /usr/bin/python3 -c '
import ctypes, mmap
libc = ctypes.CDLL(None)
libc.mlockall(7)
held = []
while True:
    held.append(mmap.mmap(-1, 1 << 20))
    held[-1].write(bytes(range(256)) * 4096)' > "$dir/life" 2>&1
sed 's/^/# /' "$dir/life"
has "$dir/life" '^(oom: the guest ran out of memory and swap|agent-lost: guest panic)' 'one that locks what it takes runs out of memory'
done_testing
