#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Every method of a workload in real guests, with processes that one forked: what they weigh, how many have room, and how
# little RAM makes them swap.
. tests/system/lib.sh
build_image

# A workload that rests between its rounds, for what a load computes is not the question.
mkdir "$dir/mine"
cat > "$dir/mine/rests.py" << 'END'
import os
import time

from swapcal_workload import Workload, run


class Rests(Workload):
    item_bytes = 4096

    def make(self):
        return os.urandom(self.item_bytes - 33)

    def use(self, item):
        return item[0]

    def work(self, parts):
        Workload.work(self, parts)
        time.sleep(1)


run(Rests)
END
plan methods 'guest: {ram_mib: [104, 112]}' 'method: [displacement, population, ram]' 'start: restore' 'workloads: mine' 'loads:' \
	'  - {workload: rests, interpreter: python3, processes: 2, launch: forked, size: small, method: displacement}' \
	'  - {workload: rests, interpreter: python3, processes: 2, launch: forked, size: 16M, method: ram}' \
	'  - {workload: rests, interpreter: python3, launch: [independent, forked], size: 16M, method: population}'
run "$dir/m.swapcal"
is $? 0 'the campaign runs to its end'
explain "$dir/err"
"$swapcal" report "$dir/m.swapcal" --format json > "$dir/m.json"
is $? 0 'its report is made'

# value METHOD X METRIC MEMBER [LAUNCH]; X may be a pattern
value() {
	sqlite3 :memory: "SELECT value ->> '$4' FROM json_each(readfile('$dir/m.json'), '\$.rows')
		WHERE value ->> 'method' = '$1' AND value ->> 'x_mib' GLOB '$2' AND value ->> 'metric' = '$3'
		AND value ->> 'launch' GLOB '${5:-*}'"
}

# Two processes that have each half of 8 MiB to themselves, and after a few rounds of work the other half as well; each has
# an interpreter's 6 MiB of memory beside, and page cache stays for both.
zeq=$(value displacement 112 rss z_mib)
within "$zeq" 18 36 'two forked processes weigh what they own'
within "$(value displacement 112 anonymous n)" 1 1 'and were measured'
within "$(value displacement 112 rss diff_pct)" 5 100 'RSS counts more than that'
within "$(sqlite3 "$dir/m.swapcal" "select count(distinct e.pid) from evidence e join snapshot s on s.id = e.snapshot_id
	join probe p on p.id = s.probe_id where p.kind = 'displacement' and s.name = 'load' and e.pid > 0")" 2 4 'both were there'

# Z* is some 48 MiB at X = 112 and 41 at 104; a process of 16 MiB is some 22.
for x in 104 112; do
	z=$(value population $x rss z_mib independent)
	within "$(value population $x anonymous n forked)" 1 1 "X=$x: a population is forked"
	within "$(echo "$(value population $x anonymous_swap y_mib independent) $z" | awk '{ print $1 / $2 }')" 0.8 1.2 \
		"X=$x: at onset the population has about Z* ($z MiB)"
	within "$(echo "$(value population $x anonymous_swap y_mib independent) \
		$(value population $x anonymous_swap y_lo_mib independent)" | awk '{ print $1 - $2 }')" \
		0 30 "X=$x: with one process less it had no more, and less by no more than a process"
done

# Two processes of 16 MiB are some 42 MiB, which is Z* at X = 107.
within "$(value ram '1*' anonymous x_mib)" 104 118 'the guest that two forked processes swap in is found'
within "$(value ram '1*' rss z_mib)" 36 52 'and its Z* is of their size'
is "$(guests "methods-$$")" 0 'no guest is left'
done_testing
