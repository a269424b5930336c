#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# swapcal-metrics(7): the metrics that are shipped, and the columns that there are.
. tests/docs/lib.sh

for f in calibrate/metrics/*.sql; do
	basename "$f" .sql
done > "$dir/code"
pod_items swapcal-metrics.7.pod 'SHIPPED METRICS' > "$dir/man"
same "$dir/man" "$dir/code" 'swapcal-metrics(7) has every shipped metric'

preprocessed calibrate/views-columns.c > "$dir/columns.c"

# columns VIEW: the columns of a view
columns() {
	perl -0777 -ne '
		BEGIN { $view = shift @ARGV }
		$view = "guest" if $view eq "baseline";
		if (/${view}_columns\[\] = \{(.*?)\n?\};/s) {
			my $list = $1;
			print "$1\n" while $list =~ /\{\s*\(?"(\w+)"/g;
		}' "$1" "$dir/columns.c"
}

# Every view has a section of its name, which speaks in bold of its columns, and of other views.
views=$(quoted 'views\[VIEW_COUNT\] = \{.*?\n\}' calibrate/views-columns.c)
for view in $views; do
	columns "$view" > "$dir/code"
	pod_bold swapcal-metrics.7.pod "$view" | grep -vxE "$(echo $views | tr ' ' '|')" > "$dir/man"
	same "$dir/man" "$dir/code" "the columns of $view"
done

quoted 'fields\[\] = \{.*?\n\}' harness/metric.c > "$dir/code"
pod_section swapcal-metrics.7.pod HEADER | sed -n 's/^ -- \([a-z ]*\):.*/\1/p' > "$dir/man"
same "$dir/man" "$dir/code" 'the lines of the header'
done_testing
