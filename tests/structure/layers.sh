#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Every include of the source tree goes to a lower floor of tests/structure/layers.list or stays in its room, and every library is
# included by the rooms that list it. Pure rooms do no I/O, and only harness/cmd prints.
set -u
status=0
tmp=$(mktemp) || exit 1
trap 'rm -f "$tmp"' EXIT

# complain WHAT: fails when $tmp has lines, and shows them
complain() {
	[ -s "$tmp" ] || return
	printf 'check-layers: %s:\n' "$1" >&2
	cat "$tmp" >&2
	status=1
}

find harness calibrate guest -name '*.[ch]' | sort | xargs grep -HnE '^#[[:space:]]*include' | awk '
	function room_of(path) {
		sub(/\/[^\/]*$/, "", path)
		return path
	}
	FILENAME == "tests/structure/layers.list" {
		first = 3
		if ($1 == "*")
			first = 2
		else if ($1 ~ /^[0-9]+$/)
			floor[$2] = $1
		else
			next
		for (i = first; i <= NF; i++)
			allowed[$1 == "*" ? "*" : $2, $i] = 1
		next
	}
	{
		count++
		split($0, part, ":")
		place = part[1] ":" part[2] ": "
		room = room_of(part[1])
		header = $0
		gsub(/.*include[[:space:]]*[<"]|[>"].*/, "", header)
		if (!(room in floor))
			print place room " is no room"
		else if ($0 ~ /</) {
			library = header
			sub(/\/.*/, "", library)
			if (!(("*", header) in allowed) && !((room, header) in allowed) && !((room, library) in allowed))
				print place room " does not use <" header ">"
		} else if (!(room_of(header) in floor))
			print place header " is in no room"
		else if (room_of(header) != room && floor[room_of(header)] >= floor[room])
			print place room " (floor " floor[room] ") may not include " header " (floor " floor[room_of(header)] ")"
	}
	END { print "check-layers: " count + 0 " includes looked at" > "/dev/stderr"; exit !count }' tests/structure/layers.list - > "$tmp" || status=1
complain 'what tests/structure/layers.list does not allow'

grep -rnE '\b(fopen|open|read|write|printf|clock_gettime|time|getenv)\(' --include='*.c' calibrate > "$tmp"
complain 'calibrate/ does no I/O and has no clock'

grep -rnE '\b(printf|puts|putchar)\(' --include='*.c' harness | grep -v '^harness/cmd/' > "$tmp"
complain 'only harness/cmd prints'
exit $status
