#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# swapcal-metrics(7): the metrics that are shipped, and the tables and columns that there are.
. tests/docs/lib.sh

for f in calibrate/metrics/*.sql; do
	basename "$f" .sql
done > "$dir/code"
pod_items swapcal-metrics.7.pod 'SHIPPED METRICS' > "$dir/man"
same "$dir/man" "$dir/code" 'swapcal-metrics(7) has every shipped metric'
./swapcal metrics list | grep -v '^ ' | cut -d' ' -f1 > "$dir/list"
same "$dir/list" "$dir/code" 'so has swapcal metrics list'

./swapcal metrics columns > "$dir/columns"
is $? 0 'swapcal metrics columns tells the tables'
grep -v '^ ' "$dir/columns" > "$dir/tables"
while read -r table; do
	sed -n "/^$table\$/,/^[a-z]/s/^  \([a-z_]*\) .*/\1/p" "$dir/columns" > "$dir/code"
	pod_bold swapcal-metrics.7.pod "$table" > "$dir/man"
	same "$dir/man" "$dir/code" "the columns of $table"
done < "$dir/tables"
grep '^=head2 [a-z]*$' docs/swapcal-metrics.7.pod | cut -d' ' -f2 > "$dir/man"
same "$dir/man" "$dir/tables" 'swapcal-metrics(7) has every table'

for metric in rss seed_formula; do
	./swapcal metrics show $metric > "$dir/shown"
	cmp -s "$dir/shown" calibrate/metrics/$metric.sql
	ok $? "swapcal metrics show $metric prints its file"
done

quoted 'fields\[\] = \{.*?\n\}' harness/query/metric.c > "$dir/code"
pod_section swapcal-metrics.7.pod HEADER | sed -n 's/^ -- \([a-z ]*\):.*/\1/p' > "$dir/man"
same "$dir/man" "$dir/code" 'the lines of the header'
done_testing
