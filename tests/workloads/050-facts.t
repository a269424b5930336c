#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What a checkpoint line says of time and of the garbage collector.
. tests/workloads/lib.sh

# control() takes no line that is too long or has another form, so that here only the numbers are looked at.
numbers='
import sys
last = {}
for line in sys.stdin:
    for word in line.split()[1:] if not line.startswith("exit=") else []:
        key, value = word.split("=")
        now = [int(n) for n in value.split(",")]
        if any(a < b for a, b in zip(now, last.get(key, now))):
            print("%s becomes less: %s" % (key, line))
        if len(now) == 3 and (now[2] > now[1] or (now[0] == 0) != (now[1] == 0 and now[0] == 0)):
            print("%s is impossible: %s" % (key, line))
        last[key] = now
print(" ".join(sorted(last)))
print(" ".join(key for key in sorted(last) if last[key][0] > 0))
'

for python_ in $(pythons); do
	case $python_ in
	*python3) want='cpu_ms gc0 gc1 gc2' ;;
	pypy3) want='collections cpu_ms gcminor gcstep' ;;
	*) want=cpu_ms ;;
	esac
	control --look none -- "$python_" "$(script gcbench)" --mode hold --size-kib 8192 --rounds 2 --processes 2 > "$dir/out"
	$python -c "$numbers" < "$dir/out" > "$dir/numbers"
	is "$(cat "$dir/numbers")" "$want
$want" "$python_: $want, each with something to tell, and none that becomes less"
	one=$(of cpu_ms full)
	[ "$one" -gt 0 ]
	ok $? "$python_: time was used"
done

merged=$($python -c 'import sys; sys.path.insert(0, "guest/workloads")
from swapcal_family import merge
print(merge(["cpu_ms=10 gc0=3,500,400", "cpu_ms=5 gc0=1,450,450 gc1=1,2,2", ""]))')
is "$merged" 'cpu_ms=15 gc0=4,950,450 gc1=1,2,2' 'of a family: sums, and the longest pause'

# One that is forked late has a half of its own to make, and so fewer pauses than its parent by then.
control --look none --answer full=fork -- $python "$(script gcbench)" --mode hold --size-kib 4096 --rounds 1 > "$dir/out"
of gc0 full | tr ',' ' ' > "$dir/gc0"
read -r alone _ _ both _ < "$dir/gc0"
[ "$both" -gt "$alone" ] && [ "$both" -lt $((2 * alone)) ]
ok $? 'pauses before the fork are counted once'
done_testing
