#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The main job on real guests: a plan is run, its report says what it should, and running it again starts nothing.
. tests/system/lib.sh
build_image

header=cell,x_mib,mem_total_kib,mem_available0_kib,kernel,accel,swappiness,thp,mglru,method,workload,interpreter,\
processes,launch,size,metric,y_mib,y_lo_mib,y_hi_mib,z_mib,z_lo_mib,z_hi_mib,diff_mib,diff_pct,n,flags,drift_mib,closure_mib,\
lru,weighing

# Under a name of its own, by which its guests are found, with smaller guests, since to fill one takes the time, and from saved boots.
sed "s/^name: .*/name: light-$$/; s/\[160, 256\]/[144, 160]/" examples/first-light.yaml > "$dir/plan.yaml"
echo 'start: restore' >> "$dir/plan.yaml"
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

for x in 144 160; do
	z=$(value growth $x python3 rss z_mib)
	available=$(value growth $x python3 rss mem_available0_kib)
	within "$(echo "$z $available" | awk '{ print $1 / ($2 / 1024) }')" 0.85 1.15 \
		"X=$x: Z* ($z MiB) is within 15 % of MemAvailable at start ($available KiB)"
	within "$(value growth $x python3 rss z_lo_mib)" "$(echo "$z" | awk '{ print $1 - 2 }')" "$z" "X=$x: Z* lies in its bracket"
	# The search ends when it knows Z* within half a MiB.
	within "$(echo "$(value growth $x python3 rss z_hi_mib) $(value growth $x python3 rss z_lo_mib)" | awk '{ print $1 - $2 }')" 0 1 \
		"X=$x: the interval of Z* is at most 1 MiB wide"
	within "$(sqlite3 "$dir/f.swapcal" "select count(*) from probe where kind = 'fixed' and cell_key =
		(select key from cell where identity ->> 'method' = 'threshold' and identity ->> 'x_mib' = $x)")" 3 20 \
		"X=$x: found with some fixed probes"
	for i in python3 pypy3; do
		for m in $("$swapcal" metrics list | cut -d' ' -f1); do
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
has "$dir/f.txt" '^  Smallest likely error: ' 'and ends with a ranking'
has "$dir/f.txt" '^  vsz .* rejected$' 'in which address space is rejected'

"$swapcal" report "$dir/f.swapcal" --format json | head -c 200 > "$dir/f.json"
has "$dir/f.json" 'tool_version' 'the JSON report begins with the version'

# What was measured can be judged by any metric afterwards, and stays what it is.
sum=$(sha256sum < "$dir/f.swapcal")
# judge TEXT: the metric of the file mine.sql
judge() {
	echo "$1" > "$dir/mine.sql"
	"$swapcal" validate "$dir/mine.sql" "$dir/f.swapcal" > "$dir/mine.out" 2> "$dir/mine.err"
}
judge 'SELECT snapshot_id, sum(pss_kib) + sum(swap_pss_kib) AS y_kib FROM mapping GROUP BY snapshot_id'
is $? 4 'PSS and its share of swap predict what one process does, but two loads are no proof of it'
has "$dir/mine.out" '^undecided: mine at a margin of 5 %: [0-9]+ loads like these would decide' 'it is told how many would be'
has "$dir/mine.out" '^Over 2 loads in 4 cells, 4 values' 'each of which counts once'
has "$dir/mine.out" '2 of 2 loads are within the margin: so are at least 22 % of such loads' 'what they prove is told'
sed 's/^/# /' "$dir/mine.out"
judge 'SELECT snapshot_id, sum(pss_kib) / 2 AS y_kib FROM mapping GROUP BY snapshot_id'
is $? 4 'half of it does not'
has "$dir/mine.out" '^rejected: mine' 'and is rejected'
"$swapcal" validate rss "$dir/f.swapcal" --margin 1% > "$dir/rss1.out" 2>&1
is $? 4 'rss is not within 1 %'
has "$dir/rss1.out" '^(rejected|undecided): rss at a margin of 1 %' 'which is told with the margin'
judge 'SELECT snapshot_id,
sum(pss_kb) AS y_kib FROM mapping GROUP BY snapshot_id'
is $? 2 'a column that there is not'
has "$dir/mine.err" 'mine.sql:2: no such column: pss_kb; did you mean pss_kib' 'is told with its line, and what was meant'
judge 'DELETE FROM mapping'
is $? 2 'a query that writes'
judge 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 1 AS snapshot_id, count(*) AS y_kib FROM n'
is $? 2 'and one that never ends'
has "$dir/mine.err" 'mine.sql:1: takes more than' 'are refused'
is "$(sha256sum < "$dir/f.swapcal")" "$sum" 'the results file is what it was'

"$swapcal" export "$dir/f.swapcal" --tree "$dir/tree" > "$dir/tree.out" 2>&1
is $? 0 'everything comes out again'
is "$(find "$dir/tree" -name smaps | wc -l)" \
	"$(sqlite3 "$dir/f.swapcal" "select count(*) from evidence where name = 'smaps' and error is null")" 'every smaps of it'

before=$(probes "$dir/f.swapcal")
"$swapcal" run "$dir/plan.yaml" -o "$dir/f.swapcal" 2> "$dir/again.err"
is $? 0 'the same command again succeeds'
is "$(probes "$dir/f.swapcal")" "$before" 'and starts no guest'

is "$(sqlite3 "$dir/f.swapcal" "select count(*) from probe where agent_rss_kib > 420")" 0 'the agent stays below 420 KiB'
is "$(guests light-$$)" 0 'no guest is left'
done_testing
