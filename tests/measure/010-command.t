#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Commands: what they get and give, what belongs to them, and how they end.
. tests/measure/lib.sh

echo in > "$dir/in"
measure -- sh -c 'cat; echo error >&2; sleep 0.2' < "$dir/in" > "$dir/out"
is "$?:$(cat "$dir/out"):$(cat "$dir/err")" '0:in:error' 'standard input, output and error pass through'
is "$(head -n 1 "$dir/csv")" \
	'metric,max_kib,avg_kib,baseline_max_kib,baseline_avg_kib,max_over_kib,avg_over_kib,n' 'the CSV has its columns'
ls calibrate/metrics/*.sql | sed 's/.*\///; s/\.sql//' > "$dir/want"
sed 1d "$dir/csv" | cut -d, -f1 > "$dir/got"
same "$dir/got" "$dir/want" 'and a row for each metric'
is "$(column memcg_current 2)" '' 'a metric without a value has none'

./swapcal measure -- sh -c 'echo first; sleep 0.1' > "$dir/out" 2>&1
is "$(head -n 1 "$dir/out")" first 'without --output the table comes after what the command prints'
grep -q '^No value .* memcg_current' "$dir/out"
ok $? 'and says why a metric has no value'

measure -- sh -c 'sleep 0.1; exit 3'
is "$?:$(cat "$dir/err")" '1:swapcal: the command failed with exit status 3' "a command's failure is told"
within "$(column rss 2)" 100 100000 'after what was measured'
measure -- sh -c 'sleep 0.1; kill -9 $$'
is "$?:$(cat "$dir/err")" '1:swapcal: the command was ended by signal 9 (Killed)' 'so is a signal'
measure -- "$dir/none"
is "$?:$(cat "$dir/err")" "1:swapcal: cannot start '$dir/none': No such file or directory" 'a program must be there'
for bad in '' '--pid 1 true' '--pid 0' '--pid x' '--duration 1 true' '--interval 0 true' '--format xml true' \
	'--pid 1 --baseline true'; do
	./swapcal measure $bad > "$dir/out" 2>&1
	is $? 2 "wrong usage: $bad"
done

# The memory of a child that its parent has left to itself; the parent lives on.
# It is sampled at its checkpoint, however busy the host is.
PYTHONPATH=guest/workloads measure -- $python -c '
import os, sys, time
from swapcal_checkpoint import checkpoint
if os.fork() == 0:
	if os.fork() == 0:
		x = bytearray(80 << 20)
		checkpoint("full")
		print(file=open(sys.argv[1], "w"), flush=True)
		os._exit(0)
	os._exit(0)
os.wait()
while not os.path.exists(sys.argv[1]):
	time.sleep(0.1)' "$dir/is-there"
within "$(column uss 2)" 81920 200000 'an orphan belongs to the command'
measure -- sh -c "sleep 0.3; $python -c 'import time; time.sleep(60)' & echo \$! > $dir/left; sleep 0.5"
is $? 0 'processes that are left behind do not hold us up'
kill "$(cat "$dir/left")"
is $? 0 'and go on'

PYTHONPATH=guest/workloads timeout $hangs_s ./swapcal measure --format json --output "$dir/json" -- $python -c '
from swapcal_checkpoint import checkpoint
x = bytearray(60 << 20)
del x
print(checkpoint("small"))
x = bytearray(20 << 20)
print(checkpoint("large"))
x = bytearray(60 << 20)
' > "$dir/out" 2> "$dir/err"
is "$?:$(tr '\n' ' ' < "$dir/out")" '0:go go ' 'checkpoints are answered'
$python - "$dir/json" > "$dir/got" <<'END'
import json, sys
r = json.load(open(sys.argv[1]))
# What is of files is shared or not by what else runs here.
anonymous = [m for m in r["metrics"] if m["metric"] == "anonymous"][0]
print(list(r)[:2], r["run"]["basis"], anonymous["n"], anonymous["checkpoints"]["n"], anonymous["max_kib"] == anonymous["checkpoints"]["max_kib"])
print(anonymous["max_kib"], 2 * (anonymous["max_kib"] - anonymous["avg_kib"]))
END
is "$(head -n 1 "$dir/got")" "['tool_version', 'schema_version'] checkpoints 2 2 True" 'samples are taken at checkpoints'
set -- $(tail -n 1 "$dir/got")
within "$1" 20480 40000 'what was there before and after them does not count'
# 20 MiB and the one page that the allocator adds; the interpreter itself touches some more while it goes on.
within "$2" 20480 20992 'the average is their mean'

timeout $hangs_s ./swapcal measure --output "$dir/text" -- $python -c '
import os
fd = int(os.environ["SWAPCAL_CHECKPOINT_FD"])
os.write(fd, b"checkpoint " + 209 * b"x" + b"\n" + b"checkpoint end\n")
with open(int(os.environ["SWAPCAL_RESUME_FD"])) as answers:
    answers.readline()
    os.set_blocking(answers.fileno(), False)
    print(answers.read(1) or None)
' > "$dir/out" 2> "$dir/err"
is "$?:$(cat "$dir/out")" '0:None' 'a line of 220 bytes is no checkpoint, as in a guest'

measure -- true
is $? 0 'the shortest command has a sample'

# A sample is taken at the exit of a traced command: what it holds to its last moment is seen, however short it lives.
if has_tracing; then
	measure -- $python -c 'import os; x = bytearray(50 << 20); os._exit(0)'
	within "$(column uss 2)" 51200 100000 'the last moment of a command is sampled'
	measure -- sh -c 'exec sh -c "exec true"'
	is $? 0 'so has a program that becomes another one'
	./swapcal measure -o "$dir/text" -- sh -c "echo \$\$ > $dir/pid; kill -STOP \$\$; kill -TERM \$\$" 2> "$dir/err" &
	pid=$!
	wait_for "$dir/pid"
	wait_until $hangs_s grep -qi ') t ' "/proc/$(cat "$dir/pid")/stat"
	sleep 0.2
	is "$(cut -d' ' -f3 "/proc/$(cat "$dir/pid")/stat")" t 'a command that stops itself stays stopped'
	kill -CONT "$(cat "$dir/pid")"
	wait $pid
	is "$?:$(cat "$dir/err")" '1:swapcal: the command was ended by signal 15 (Terminated)' '... until it is told to go on'
else
	echo '# no right to trace: the first and the last moment are not tested'
fi

# The command is sampled at a checkpoint, however busy the host is. What the baseline runs has none: it stays for a while.
PYTHONPATH=guest/workloads measure \
	--baseline "exec $python -c 'import time, swapcal_checkpoint; time.sleep(4)'" -- \
	$python -c 'import time
from swapcal_checkpoint import checkpoint
x = bytearray(64 << 20)
checkpoint("full")'
is $? 0 'a baseline'
# 64 MiB and one page; both interpreters differ by where their addresses happen to lie.
within "$(column uss 6)" 65000 66500 'is taken off'
measure --baseline 'exit 4' -- true
is "$?:$(cat "$dir/err")" '1:swapcal: --baseline: the command failed with exit status 4' 'one that fails is an error'

# TERM, not INT: what a shell starts in the background ignores the latter.
./swapcal measure --output "$dir/text" -- sleep 3600 2> "$dir/err" &
pid=$!
wait_until $hangs_s pgrep -xP $pid sleep
sleep 0.5
kill -TERM $pid
wait $pid
is $? 130 'an interruption ends the command'
grep -q '^  rss ' "$dir/text"
ok $? 'and what was measured is shown'
pgrep -P $pid > "$dir/left"
none "$dir/left" 'nothing is left behind'

$python -c 'import os, sys, time
x = bytearray(30 << 20)
print(file=open(sys.argv[1], "w"), flush=True)
while not os.path.exists(sys.argv[2]):
	time.sleep(0.1)' "$dir/ready" "$dir/go" &
pid=$!
wait_for "$dir/ready"
measure --pid $pid --duration 1
is $? 0 'a process that runs is measured for a time'
within "$(column uss 2)" 30720 60000 'whole'
(sleep 1; : > "$dir/go") &
measure --pid $pid
is "$?:$(cat "$dir/err")" '0:' 'or to its end'
wait $pid
measure --pid $pid
is "$?:$(cat "$dir/err")" "1:swapcal: process $pid: No such process" 'not when it has ended'
done_testing
