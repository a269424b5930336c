#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# swapcal-metrics(7): the metrics that are shipped, and the columns that there are.
. tests/docs/lib.sh

for f in calibrate/metrics/*.sql; do
	basename "$f" .sql
done > "$dir/code"
pod_items swapcal-metrics.7.pod 'SHIPPED METRICS' > "$dir/man"
same "$dir/man" "$dir/code" 'swapcal-metrics(7) has every shipped metric'

preprocessed harness/store-tables.c > "$dir/tables.c"

# columns TABLE HEAD: the columns of a table, those of its head first
columns() {
	quoted "define $2\\s.*?\n" harness/store-tables.c | tr -d ' ' | tr , '\n'
	perl -0777 -ne '
		BEGIN { $table = shift @ARGV }
		if (/$table\[\] = \{(.*?)\};/s) { my $list = $1; print "$1\n" while $list =~ /\{\s*"\w+",\s*"(\w+)"\s*\}/g }' \
		"$1" "$dir/tables.c"
}

columns smaps_fields MAPPING_HEAD > "$dir/code"
pod_bold swapcal-metrics.7.pod mapping > "$dir/man"
same "$dir/man" "$dir/code" 'the columns of mapping'
columns process_fields PROCESS_HEAD > "$dir/code"
pod_bold swapcal-metrics.7.pod process | grep -vx mapping > "$dir/man"
same "$dir/man" "$dir/code" 'the columns of process'
for table in snapshot guest; do
	perl -0777 -ne '
		BEGIN { $table = shift @ARGV }
		s/"\s*"//g;
		print join("\n", map { /(\w+)/ } split /,/, $1) if /CREATE TEMP TABLE $table \((.*?)\) STRICT/' \
		$table "$dir/tables.c" > "$dir/code"
	echo >> "$dir/code"
	pod_bold swapcal-metrics.7.pod $table > "$dir/man"
	same "$dir/man" "$dir/code" "the columns of $table"
done

quoted 'fields\[\] = \{.*?\n\}' harness/metric.c > "$dir/code"
pod_section swapcal-metrics.7.pod HEADER | sed -n 's/^ -- \([a-z ]*\):.*/\1/p' > "$dir/man"
same "$dir/man" "$dir/code" 'the lines of the header'
done_testing
