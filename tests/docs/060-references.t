#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What the documentation refers to is there: files, headings, make targets, manual pages.
. tests/docs/lib.sh

for page in docs/*.pod; do
	succeeds "podchecker finds nothing in $page" podchecker -warnings -warnings "$page"
	grep -oE 'L<swapcal[a-z-]*\([0-9]\)>' "$page" | sed 's/L<\(.*\)(\(.\))>/docs\/\1.\2.pod/' | sort -u |
		while read -r other; do [ -e "$other" ] || echo "$other"; done > "$dir/missing"
	none "$dir/missing" "the pages $page refers to exist"
done

# references FILE: "LINK file", "FILE path", "NAME name", "TARGET target" for what a Markdown file mentions
cat > "$dir/references" << 'END'
my $top = qr/(?:harness|calibrate|guest|tests|docs|vm-images|examples|contrib|\.ci)/;
while (<>) {
	print "LINK $1\n" while /\]\(([^)\s]+)\)/g;
	s/\]\([^)]*\)/]/g;
	# Code: between backticks, or a line that is indented.
	my @code = /^    / ? ($_) : /`([^`]*)`/g;
	for (@code, /(?<![\w`.\/-])($top\/[\w.*\/-]*\w)/g) {
		print "FILE $1\n" while /(?<![\w.\/-])($top\/[\w.*\/-]*[\w*\/])/g;
		print "NAME $1\n" while /(?<![\w.\/*-])([a-z][\w-]*\.(?:c|h|sh|sql|pod|yaml|md|py|list))\b/g;
	}
	for (@code) {
		print "TARGET $1\n" while /\bmake ([a-z][a-z-]*)(?![\w\/-])/g;
	}
}
END

# anchor_exists FILE ANCHOR: as headings become anchors: lower case, blanks as hyphens, no punctuation
anchor_exists() {
	sed -n 's/^#* //p' "$1" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9\n-' | grep -qxF -- "$2"
}

# FILE:N: a file, and how many references it has more than.
for file in README.md:10 CONTRIBUTING.md:10 NEWS.md:1 SECURITY.md:1; do
	least=${file#*:}
	file=${file%:*}
	perl "$dir/references" $file | sort -u > "$dir/found"
	while read -r kind what; do
		case $what in
		*NAME*) continue ;; # a place holder
		esac
		case $kind:$what in
		LINK:http*) ;;
		LINK:\#*) anchor_exists $file "${what#\#}" || echo "$what: no such heading" ;;
		# Unquoted: a pattern is fine when it matches something.
		LINK:* | FILE:*) ls -d $what > /dev/null 2>&1 || echo "$what: no such file" ;;
		NAME:*) [ -n "$(find . -path ./build -prune -o -name "$what" -print -quit)" ] || echo "$what: no such file" ;;
		TARGET:*) grep -q "^$what:" Makefile || echo "make $what: no such target" ;;
		esac
	done < "$dir/found" > "$dir/missing"
	[ "$(wc -l < "$dir/found")" -gt "$least" ]
	ok $? "$file refers to something"
	none "$dir/missing" 'all of which is there'
done

grep -oE 'F<[a-z-]+(/[a-z-]+)?>' docs/*.pod | sed 's/.*F<//; s/>//' | sort -u |
	while read -r path; do [ -e "$path" ] || echo "$path"; done > "$dir/missing"
none "$dir/missing" 'directories of the tree that the manual names are there'

sed -n '/^## Tests/,/^## /s/^    \(.*\)/\1/p' README.md > "$dir/want"
grep '^make' .ci/run > "$dir/got"
same "$dir/got" "$dir/want" 'CI runs the test command of README.md'
[ -x .ci/run ]
ok $? '.ci/run is executable'

awk '!/^#/ && NF < 2' deps.list > "$dir/bare"
none "$dir/bare" 'every package in deps.list has its reason'
done_testing
