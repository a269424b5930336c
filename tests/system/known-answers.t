#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Known-answer loads in real guests: they hold what they say, and weigh it. One kind of each trap: memory that counts once
# and is mapped often, memory that is there and need not stay, and memory that no process has.
. tests/system/lib.sh
build_image

plan known 'guest: {ram_mib: 192, thp: never}' 'method: displacement' 'start: restore' 'loads:' \
	'  - {ballast: [private-dirty, forked-cow, lazyfree, tmpfs, file-clean, thp-holes], mib: 24, children: 4, dirty_pct: 25}'
run "$dir/k.swapcal"
explain "$dir/err"
"$swapcal" report "$dir/k.swapcal" --format json > "$dir/k.json"
is $? 0 'its report is made'

# value WORKLOAD METRIC MEMBER
value() {
	sqlite3 :memory: "SELECT value ->> '$3' FROM json_each(readfile('$dir/k.json'), '\$.rows')
		WHERE value ->> 'workload' = '$1' AND value ->> 'method' = 'displacement' AND value ->> 'metric' = '$2'"
}

# Zeq: by a tick of either ramp (1.28 MiB), and by how soon the kernel finds pages that it may take: up to 2 MiB (see
# swapcal-plan(5), KNOWN ANSWERS). Four processes have kernel memory of their own, some 0.2 MiB each.
within "$(value private-dirty rss z_mib)" 22 26 'private-dirty weighs its 24 MiB'
within "$(value forked-cow rss z_mib)" 40 46 'forked-cow weighs 3/4 x 24 + 4 x 1/4 x 24 = 42 MiB'
within "$(value lazyfree rss z_mib)" -2 4 'lazyfree weighs nothing'
within "$(value tmpfs rss z_mib)" 22 28 'tmpfs weighs its 24 MiB'
within "$(value file-clean rss z_mib)" -2 5 'file-clean weighs nothing'

# Y: programs have some hundred KiB of their own, five of them less than 1 MiB; the rest is exact to the page.
while read -r kind metric expected; do
	is "$(value "$kind" "$metric" expected_mib)" "$expected" "$kind: $metric must say $expected MiB"
	within "$(value "$kind" "$metric" y_mib)" "$(echo "$expected" | awk '{ print $1 - 0.1 }')" \
		"$(echo "$expected" | awk '{ print $1 + 1 }')" "$kind: $metric says so"
done <<END
private-dirty rss 24.0
private-dirty anonymous 24.0
forked-cow rss 96.0
forked-cow uss 24.0
forked-cow pss 42.0
lazyfree rss 24.0
lazyfree private_dirty 0.0
tmpfs rss 0.0
file-clean uss 24.0
file-clean anonymous 0.0
END
within "$(value tmpfs memcg_current y_mib)" 24 25.5 'the cgroup is charged for what no process has'

"$swapcal" report "$dir/k.swapcal" > "$dir/k.txt"
explain "$dir/k.txt"
has "$dir/k.txt" 'thp-holes.*not-applicable.*no transparent huge pages .thp: madvise or always.$' 'without huge pages there are none with holes'
has "$dir/k.txt" '^Known answers at X = 192 MiB' 'the text report has their tables'
is "$(guests known-$$)" 0 'no guest is left'
done_testing
