#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The tables of docs/findings.md are what the committed reference says.
. tests/docs/lib.sh

table() {
	docs/reference/summary.sh "docs/reference/$1.csv" "$2" working_set_kept memcg_working_set working_set memcg_unreclaimable \
		private_dirty anonymous page_union pss seed_formula uss rss memcg_current vsz
}

for what in 'seed-2008 growth' 'seed-2008 displacement' 'forked-workers displacement'; do
	table $what > "$dir/want"
	[ "$(wc -l < "$dir/want")" -eq 14 ]
	ok $? "$what: the reference has the metrics"
	sed 's/^    //' docs/findings.md | grep -Fxf "$dir/want" > "$dir/found"
	sort -u "$dir/want" > "$dir/all"
	sort -u "$dir/found" > "$dir/got"
	same "$dir/got" "$dir/all" "$what: findings.md has their numbers"
done

for lru in virgin aged; do
	awk -F, -v lru=$lru 'NR == 1 || $(NF - 1) == lru' docs/reference/lru.csv > "$dir/lru.csv"
	docs/reference/summary.sh "$dir/lru.csv" displacement swap_weight memcg_working_set working_set working_set_kept \
		memcg_unreclaimable pss private_dirty memcg_current > "$dir/want"
	[ "$(wc -l < "$dir/want")" -eq 9 ]
	ok $? "lru: $lru: the reference has the metrics"
	sed 's/^    //' docs/accuracy.md | grep -Fxf "$dir/want" | sort -u > "$dir/got"
	sort -u "$dir/want" > "$dir/all"
	same "$dir/got" "$dir/all" "lru: $lru: accuracy.md has their numbers"
done

# METRIC CELL... : the agreement that compare computes from the CSV is the report's.
awk -F, 'NR == 1 { print "z,y,cell" } NR > 1 && $16 == m && $10 != "threshold" { print $20 "," $17 "," $1 }' \
	m=working_set_kept docs/reference/seed-2008.csv | ./swapcal compare - --margin 5% > "$dir/compare" 2>&1
report=$(sed -n 's/^  working_set_kept .*\[\(-[0-9.]*\), +\([0-9.]*\)\]  *\[.*/\1 \2/p' docs/reference/seed-2008.txt | head -n 1)
got=$(sed -n '/^Differences in percent/,/^$/p' "$dir/compare" |
	awk '/lower limit of agreement/ { l = $5 } /upper limit of agreement/ { printf "%.1f %.1f", l, $5 }')
[ -n "$report" ] && [ "$report" = "$got" ]
ok $? "compare gives the report's limits of agreement ($report; $got)"
done_testing
