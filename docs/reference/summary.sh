#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# summary.sh REPORT.csv METHOD [METRIC...]: errors of each metric, or of these, over the cells of a method: their number, the mean
# of |Y - Z|, mean, smallest and largest of Y - Z in percent of Z, and in how many cells it is within 2 and within 5 percent.
file=$1 method=$2
shift 2
awk -F, -v method="$method" -v only="$*" '
NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
function has(list, word) { return index(" " list " ", " " word " ") > 0 }
NR > 1 && $column["method"] == method && $column["diff_pct"] != "" {
	m = $column["metric"]; d = $column["diff_pct"] + 0; a = d < 0 ? -d : d
	if (only != "" && !has(only, m)) next
	if (!n[m]++) { low[m] = d; high[m] = d }
	sum[m] += d; size[m] += a
	if (d < low[m]) low[m] = d
	if (d > high[m]) high[m] = d
	two[m] += a <= 2; five[m] += a <= 5
}
END {
	for (m in n)
		printf "%-22s %5d %6.1f %% %+7.1f %% %+7.1f %% %+7.1f %% %8d %8d\n", m, n[m], size[m] / n[m], sum[m] / n[m], low[m], high[m], two[m], five[m]
}' "$file" | sort -k3,3n -k1,1 | sed '1i metric                 cells    |err|      mean       low      high   within 2  within 5'
