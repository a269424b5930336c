#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What a real kernel makes of the guest settings and touch patterns: each takes effect, and is seen to.
. tests/system/lib.sh
build_image

# live NAME KEY=VALUE...: one life of a ballast with these settings, in $dir/NAME
live() {
	name=$1
	shift
	"${B:-build}/tests/system/probe-settings" "$@" > "$dir/$name" 2> "$dir/err"
	is $? 0 "a guest lives: $*"
	sed 's/^/# /' "$dir/err" "$dir/$name"
}

# A guest as all others are, to compare with.
live usual
has "$dir/usual" '^outcome onset' 'a usual guest swaps'
has "$dir/usual" '^/dev/vd' 'to its swap disk'
[ "$(grep -c zram "$dir/usual")" -eq 0 ]
ok $? 'and has no zram'

live zram swap=zram fill=half
has "$dir/zram" '^outcome onset' 'a guest with zram swaps'
has "$dir/zram" '^/dev/zram0 .*131068' 'to an area of the asked size'
is "$(number "$dir/zram" swap_written_bytes)" 0 'and nothing reaches its swap disk'
has "$dir/zram" '^flags *(host-busy)? *$' 'which is no reason for doubt'
# The table of zram takes 16 bytes a page: half a MiB.
within "$(number "$dir/zram" load_kib)" $(($(number "$dir/usual" load_kib) - 6144)) $(($(number "$dir/usual" load_kib) + 2048)) \
	'it begins to swap where the usual one does'
# Stored, compressed: half of each page and a little of zram's own.
within "$(awk '$1 == "zram0/mm_stat" { print $3 / $2 }' "$dir/zram")" 0.45 0.65 'half-filled pages compress to half'

live free min_free_kib=16384
has "$dir/free" '^outcome onset' 'a guest that keeps 16 MiB free swaps'
# Its watermarks rise by as much, from 1.4 MiB, and half of that again for the low one, up to 25 %.
within $(($(number "$dir/usual" load_kib) - $(number "$dir/free" load_kib))) 13000 21000 'that much earlier'

# At the usual rate a guest without KVM has no time left to touch as much as it should.
live smp vcpus=2 mglru=1 touch=sweep rate_mib_s=16
has "$dir/smp" '^outcome onset' 'two processors, MGLRU and a sweep at once'
# Each processor has free lists and a share of the kernel's own.
within "$(number "$dir/smp" load_kib)" $(($(number "$dir/usual" load_kib) - 8192)) $(($(number "$dir/usual" load_kib) + 4096)) 'hardly move the onset'

live random touch=random z_mib=70
has "$dir/random" '^outcome no-onset' 'a ballast that fits and is touched at random does not swap'
is "$(number "$dir/random" load_kib)" 71680 'it holds what was asked'
has "$dir/random" '^flags *(host-busy)? *$' 'and keeps the pace'
done_testing
