#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Guests that go on from a saved boot: they are what booted guests are, side by side too; replicates have boots of their own; states that are damaged,
# cut short or without room are no harm, and none is left.
. tests/system/lib.sh
build_image
tool=$PWD/build/tests/system/restored
owner=$(printf '%032x' $$)

# A cache with the images of the usual one and its own states.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/swapcal
states=$dir/cache/swapcal/states
mkdir -p "$states"
for f in "$cache"/*; do
	[ "${f##*/}" = states ] || ln -s "$f" "$dir/cache/swapcal/"
done
export XDG_CACHE_HOME="$dir/cache"

# start GUEST...: the tool's lines in $dir/guests
start() {
	"$tool" "$owner" "$@" > "$dir/guests" 2> "$dir/err"
	status=$?
	sed 's/^/# /' "$dir/guests" "$dir/err"
	return $status
}

# stack N: where guest N of the last start has its agent's stack; the same in guests of one boot only
stack() {
	sed -n "$1p" "$dir/guests" | cut -d' ' -f2
}

# differs A B TEXT
differs() {
	[ -n "$1" ] && [ "$1" != "$2" ]
	ok $? "$3"
}

start 1 +1 2 1 boot
is $? 0 'five guests side by side, four of them from saved boots'
first=$(stack 1)
is "$(stack 2)" "$first" 'two that need one boot at the same time share it'
is "$(stack 4)" "$first" 'and so does one that comes later'
differs "$(stack 3)" "$first" 'another replicate has another boot'
differs "$(stack 5)" "$first" 'and so has a guest that boots'
is "$(cut -d' ' -f3 "$dir/guests" | sort -u | wc -l)" 1 'all have the same MemTotal'
is "$(ls "$states" | grep -vc lock)" 2 'two boots are saved'
start 101 1
is "$(stack 2)" "$first" 'the next process finds the boot again'
is "$(cut -d' ' -f4 "$dir/guests" | tr '\n' ' ')" 'scratch - ' 'a guest with a scratch disk has a state of its own'
second=$(stack 1)
start 101 +101
is "$(stack 1) $(stack 2)" "$second $second" 'with the disk as it was, for each guest'

for f in "$states"/*/memory; do
	truncate -s 200000 "$f"
done
start 1
is $? 0 'a state that is damaged is no harm'
has "$dir/err" 'a guest is saved anew: ' 'it is told'
differs "$(stack 1)" "$first" 'and made anew'

"$tool" "$owner" 3 > /dev/null 2>&1 &
pid=$!
until ls -d "$states"/.tmp-* > /dev/null 2>&1 || ! kill -0 $pid 2> /dev/null; do
	sleep 0.01
done
kill -KILL $pid
wait $pid 2> /dev/null
is "$(ls -d "$states"/.tmp-* | wc -l)" 1 'who is killed while it saves a boot leaves half of one'
start 3
is $? 0 'the next one is not misled by it'
is "$(ls -d "$states"/.tmp-* 2> /dev/null | wc -l)" 0 'and nothing of it is left'

rm -rf "$states"
mkdir -m 700 "$states"
if mount -t tmpfs -o size=16m none "$states" 2> /dev/null; then
	trap 'umount "$states" 2> /dev/null; rm -rf "$dir"' EXIT
	start 1
	is $? 1 'without room for a saved boot the guest is not started'
	has "$dir/err" "cannot be saved: .*No space left" 'which is told'
	is "$(find "$states" -mindepth 1 | wc -l)" 0 'and nothing half made is left'
	umount "$states"
else
	echo '# no file system of a limited size for this user: not tested without room'
fi

# campaign START: runs it, to $dir/START.swapcal and .csv
campaign() {
	plan restore 'guest: {ram_mib: 88}' 'method: growth' "start: $1" 'loads: [{workload: strings, interpreter: python3}]'
	run "$dir/$1.swapcal"
	is $? 0 "start: $1: the campaign runs to its end"
	explain "$dir/err"
	"$swapcal" report "$dir/$1.swapcal" --format csv > "$dir/$1.csv"
}

# value START METRIC COLUMN: of the growth cell
value() {
	awk -F, -v metric="$2" -v c="$3" '
		NR == 1 { for (n = 1; n <= NF; n++) column[$n] = n }
		NR > 1 && $column["method"] == "growth" && $column["metric"] == metric { print $column[c] }' "$dir/$1.csv"
}

# ready START: median of the times until a guest is ready for its load; a saved boot is made in the first probe
ready() {
	sqlite3 "$dir/$1.swapcal" 'select phase_start_ms + phase_boot_ms + phase_prepare_ms from probe where id > 1' | sort -n |
		awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

campaign restore
is "$(ls "$states" | wc -l)" 0 'and leaves no saved boot'
campaign boot
echo "# ready for the load after (median) $(ready boot) ms with a boot, $(ready restore) ms without"

is "$(value restore rss mem_total_kib)" "$(value boot rss mem_total_kib)" 'restored guests have the MemTotal of booted ones'
# What boot leaves in caches that cannot be dropped differs by some 100 KiB from boot to boot.
within "$(echo "$(value restore rss mem_available0_kib) $(value boot rss mem_available0_kib)" | awk '{ print $1 - $2 }')" -700 700 \
	'and their MemAvailable at the start, to 0.7 MiB'
# The threshold differs by some 0.2 MiB from boot to boot.
echo "# Z* restore $(value restore rss z_mib) [$(value restore rss z_lo_mib), $(value restore rss z_hi_mib)]," \
	"boot $(value boot rss z_mib) [$(value boot rss z_lo_mib), $(value boot rss z_hi_mib)]"
within "$(value restore rss z_mib)" "$(value boot rss z_lo_mib | awk '{ print $1 - 0.4 }')" \
	"$(value boot rss z_hi_mib | awk '{ print $1 + 0.4 }')" 'Z* of restored guests lies in the interval of booted ones'
within "$(value boot rss z_mib)" "$(value restore rss z_lo_mib | awk '{ print $1 - 0.4 }')" \
	"$(value restore rss z_hi_mib | awk '{ print $1 + 0.4 }')" 'and the other way round'
# How much page cache is left at the onset differs from guest to guest by some MiB, however it was started.
echo "# Y restore $(value restore anonymous_swap y_mib), boot $(value boot anonymous_swap y_mib)" \
	"[$(value boot anonymous_swap y_lo_mib), $(value boot anonymous_swap y_hi_mib)]"
within "$(value restore anonymous_swap y_mib)" "$(value boot anonymous_swap y_lo_mib | awk '{ print $1 - 2 }')" \
	"$(value boot anonymous_swap y_hi_mib | awk '{ print $1 + 2 }')" 'a workload that grows has the same Y in both, to 2 MiB'
is "$(guests restore)" 0 'no guest is left'
done_testing
