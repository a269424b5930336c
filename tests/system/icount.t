#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# With an instruction-counted clock two lives of one guest are the same but for what the host decides: at which instruction a disk has
# answered and an order arrives. That moves the kernel's first write to swap against the agent's ticks, and the ballast's bursts with it.
# So the onset may come one tick sooner or later, of 20 ms at 64 MiB/s, and differ by a burst, of 2 ms: 328 + 33 pages by construction.
# Seen were 0 to 2. That is no closer than two lives without this clock come, so it does not show what the clock is good for; that nothing
# is random does show, in the addresses of the ballast.
. tests/system/lib.sh
build_image

plan icount 'guest: {ram_mib: 160}' 'method: threshold' 'determinism: icount'

# ramp NAME: the first probe of the plan, a ramp, then stop; its mappings in $dir/NAME.maps
ramp() {
	some_probes 1 "$dir/$1" "$swapcal" run "$dir/plan.yaml" --accel tcg
	explain "$dir/$1.out" >&2
	"$swapcal" export "$dir/$1" --tree "$dir/$1.tree" > /dev/null 2>&1
	cat "$dir/$1.tree"/probe-0001/onset/pid-*/smaps | grep -oE '^[0-9a-f]+-[0-9a-f]+ [^ ]+' > "$dir/$1.maps"
	sqlite3 "$dir/$1" 'select outcome, load_pages from probe order by id limit 1'
}

first=$(ramp a)
second=$(ramp b)
echo "# $first, $second"
is "${first%|*} ${second%|*}" 'onset onset' 'two ballasts grow until their guest swaps'
within "${first#*|}" 10000 40960 'the ramp of an icount guest reaches its onset'
within $((${second#*|} - ${first#*|})) -361 361 'the onset page is the same in both lives, to a tick and a burst'
within "$(wc -l < "$dir/a.maps")" 4 100 'the ballast has mappings'
is "$(cat "$dir/b.maps")" "$(cat "$dir/a.maps")" 'at the same addresses in both lives'
done_testing
