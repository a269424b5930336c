# SPDX-License-Identifier: GPL-3.0-or-later
# For tests of `swapcal measure` on live processes. They run on this machine: no guest, and root only where said.
. tests/lib.sh

# The distribution's own, whatever else is in PATH: psutil is installed for it.
python=/usr/bin/python3

# measure ARGUMENT...: the CSV in $dir/csv, notes in $dir/err
measure() {
	timeout $hangs_s ./swapcal measure --format csv --output "$dir/csv" "$@" 2> "$dir/err"
}

# column METRIC NUMBER: of $dir/csv
column() {
	awk -F, -v metric="$1" -v n="$2" '$1 == metric { print $n }' "$dir/csv"
}

# calc EXPRESSION: its value, with one decimal as in the CSV
calc() {
	awk "BEGIN { printf \"%.1f\", $1 }"
}

# metric NAME QUERY: a metric of the test's own; before that, own_metrics
metric() {
	cat > "$dir/data/calibrate/metrics/$1.sql" <<-END
		-- name: $1
		-- summary: of a test
		-- meaning: of a test
		-- wrong when: never
		-- source: smaps
		$2
	END
}

# own_metrics: from now on there are no metrics but those that metric makes
own_metrics() {
	mkdir -p "$dir/data/calibrate/metrics"
	SWAPCAL_DATADIR=$dir/data
	export SWAPCAL_DATADIR
}

# has_tracing: may this user trace any process, as measure needs it for the first and the last sample?
has_tracing() {
	[ $((0x$(sed -n 's/^CapEff:[^0-9a-f]*//p' /proc/self/status) >> 19 & 1)) -eq 1 ]
}

# has_frames: may this user see page frames?
has_frames() {
	[ -r /proc/kpageflags ] && [ $((0x$(sed -n 's/^CapEff:[^0-9a-f]*//p' /proc/self/status) >> 21 & 1)) -eq 1 ] &&
		od -An -N8 /proc/kpageflags > "$dir/frames" 2>&1
}

# wait_asleep PID: until it does nothing, as it will for a long time
wait_asleep() {
	wait_until $hangs_s grep -q '^[0-9]* ([^)]*) S' "/proc/$1/stat"
}

# wait_for FILE: until something stands in it
wait_for() {
	wait_until $hangs_s test -s "$1"
}
