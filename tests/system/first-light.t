#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The main job on real guests: a plan is run, its report says what it should, and running it again starts nothing.
. tests/system/lib.sh
build_image

header=cell,x_mib,mem_total_kib,mem_available0_kib,kernel,accel,swappiness,thp,mglru,method,workload,interpreter,\
processes,launch,size,metric,y_mib,y_lo_mib,y_hi_mib,z_mib,z_lo_mib,z_hi_mib,diff_mib,diff_pct,n,flags

# Under a name of its own, by which its guests are found.
sed "s/^name: .*/name: light-$$/" examples/first-light.yaml > "$dir/plan.yaml"
"$swapcal" run "$dir/plan.yaml" -o "$dir/f.swapcal" 2> "$dir/run.err"
is $? 0 'the campaign runs to its end'
sed 's/^/# /' "$dir/run.err"
"$swapcal" report "$dir/f.swapcal" --format csv > "$dir/f.csv"
is $? 0 'its report is made'
is "$(head -n 1 "$dir/f.csv" | tr -d '\r')" "$header" 'the CSV header is the documented one'

# value METHOD X INTERPRETER METRIC COLUMN
value() {
	awk -F, -v m="$1" -v x="$2" -v i="$3" -v metric="$4" -v c="$5" '
		NR == 1 { for (n = 1; n <= NF; n++) column[$n] = n }
		NR > 1 && $column["method"] == m && $column["x_mib"] == x && $column["interpreter"] == i &&
			$column["metric"] == metric { print $column[c] }' "$dir/f.csv"
}

for x in 160 256; do
	z=$(value growth $x python3 rss z_mib)
	available=$(value growth $x python3 rss mem_available0_kib)
	within "$(echo "$z $available" | awk '{ print $1 / ($2 / 1024) }')" 0.85 1.15 \
		"X=$x: Z* ($z MiB) is within 15 % of MemAvailable at start ($available KiB)"
	within "$(value growth $x python3 rss z_lo_mib)" "$(echo "$z" | awk '{ print $1 - 2 }')" "$z" "X=$x: Z* lies in its bracket"
	for i in python3 pypy3; do
		for m in vsz rss pss uss private_dirty anonymous anonymous_swap memcg_current; do
			within "$(value growth $x $i $m y_mib)" 1 100000 "X=$x $i: a value of $m"
		done
		# The workload is one process whose heap is nearly all there is: what every measure but vsz sees of it fills the guest.
		within "$(value growth $x $i anonymous_swap diff_pct)" -15 15 "X=$x $i: anonymous_swap is within 15 % of Z*"
	done
	within "$(value threshold $x - anonymous_swap diff_pct)" -3 3 "X=$x: at the ballast's onset its own measure is Z*"
done

"$swapcal" report "$dir/f.swapcal" > "$dir/f.txt"
sed 's/^/# /' "$dir/f.txt"
has "$dir/f.txt" '\*' 'the text report marks the best agreement'

"$swapcal" report "$dir/f.swapcal" --format json | head -c 200 > "$dir/f.json"
has "$dir/f.json" 'tool_version' 'the JSON report begins with the version'

before=$(sqlite3 "$dir/f.swapcal" 'select count(*) from probe')
"$swapcal" run "$dir/plan.yaml" -o "$dir/f.swapcal" 2> "$dir/again.err"
is $? 0 'the same command again succeeds'
is "$(sqlite3 "$dir/f.swapcal" 'select count(*) from probe')" "$before" 'and starts no guest'

is "$(sqlite3 "$dir/f.swapcal" "select count(*) from probe where agent_rss_kib > 400")" 0 'the agent stays below 400 KiB'
is "$(guests light-$$)" 0 'no guest is left'
done_testing
