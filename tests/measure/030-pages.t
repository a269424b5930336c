#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Physical pages of live processes, counted once each, against what smaps says of them. Needs the right to see page frames.
. tests/measure/lib.sh

own_metrics
metric rss 'SELECT snapshot_id, sum(rss_kib) AS y_kib FROM process GROUP BY snapshot_id'
metric physical "SELECT snapshot_id, sum(kib) AS y_kib FROM pages WHERE state = 'resident' AND backing <> 'zero' GROUP BY snapshot_id"
metric mapped "SELECT snapshot_id, sum(mapped_kib) AS y_kib FROM pages WHERE state = 'resident' AND backing <> 'zero' GROUP BY snapshot_id"
metric twice "SELECT snapshot_id, sum(kib) AS y_kib FROM pages WHERE backing = 'anon' AND mappers = 2 GROUP BY snapshot_id"
metric shmem "SELECT snapshot_id, sum(kib) AS y_kib FROM pages WHERE backing = 'shmem' GROUP BY snapshot_id"

if ! has_frames; then
	measure -- sleep 0.1
	is "$?:$(column physical 2)" 0: 'without the right to see page frames there are no pages'
	./swapcal measure -- sleep 0.1 | grep -q '^No value (needs CAP_SYS_ADMIN): mapped physical shmem twice$'
	ok $? 'and the report says why'
	done_testing
fi

# start SCRIPT: Python code that ends in wait(), which tells that all is in place; $pid is its process
start() {
	rm -f "$dir/ready"
	printf 'import mmap, os, sys, time\ndef wait():\n\topen(sys.argv[1], "w").write("x")\n\ttime.sleep(3600)\n%s\n' "$1" \
		> "$dir/script.py"
	$python -I -S "$dir/script.py" "$dir/ready" &
	pid=$!
	wait_for "$dir/ready"
	wait_asleep $pid
}

start 'm = mmap.mmap(-1, 40 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for i in range(0, 40 << 20, 4096): m[i] = 1
wait()'
measure --pid $pid --duration 1
kill $pid
is "$?:$(cat "$dir/err")" 0: 'a process alone'
is "$(column mapped 2)" "$(column rss 2)" 'its pages are its RSS'
is "$(column physical 2)" "$(column rss 2)" 'each of them once'
is "$(column twice 2)" '' 'none is mapped by two processes'

start 'm = mmap.mmap(-1, 40 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for i in range(0, 40 << 20, 4096): m[i] = 1
if os.fork() == 0:
	for i in range(0, 10 << 20, 4096): m[i] = 2
	open(sys.argv[1] + ".child", "w").write(str(os.getpid()))
	wait()
time.sleep(3600)'
wait_for "$dir/ready.child"
wait_asleep "$(cat "$dir/ready.child")"
measure --pid $pid --duration 1
kill $pid "$(cat "$dir/ready.child")"
is "$(column mapped 2)" "$(column rss 2)" 'a process and its fork: pages as often as they are mapped are RSS'
# 30 MiB, and what both interpreters have not changed since.
within "$(column twice 2)" 30720 36000 'what they share is mapped by both'
within "$(calc "$(column mapped 2) - $(column physical 2)")" 30720 45000 'and counted once'

start 'm = mmap.mmap(-1, 20 << 20)
for i in range(0, 20 << 20, 4096): m[i] = 1
wait()'
measure --pid $pid --duration 1
kill $pid
is "$(column shmem 2)" 20480.0 'shared anonymous memory is shmem'

# The page of zeros is in RAM once, whatever reads it.
start 'm = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ)
m.madvise(mmap.MADV_NOHUGEPAGE)
for i in range(0, 64 << 20, 4096): m[i]
wait()'
measure --pid $pid --duration 1
kill $pid
is "$(column mapped 2)" "$(column rss 2)" 'the page of zeros does not count'
if [ "$(column rss 2 | cut -d. -f1)" -lt 65536 ]; then
	within "$(column physical 2)" 1000 20000 'however often it is mapped'
else
	echo '# a host without a page of zeros: what was read is memory of its own'
	is "$(column physical 2)" "$(column rss 2)" 'what is read is counted where the kernel gives it frames of its own'
fi
done_testing
