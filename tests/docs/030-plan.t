#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# swapcal-plan(5) has the keys and the words that the code accepts, and the recipes' keys are in swapcal(1).
. tests/docs/lib.sh

# Rows of the table of settings: "TYPE KEY LEAST MOST DEFAULT" of a number, "TYPE KEY CHOICE..." of others.
perl -ne '
	next unless /^\t(NUMBER|FLAG|CHOICE)\(\w+, \w+, \w+, "(\w+)", \d+, (.*)/;
	my ($type, $key, $rest) = ($1, $2, $3);
	print join(" ", $type, $key, $rest =~ /^CHOICES\((.*?)\)/ ? $1 =~ /"(\w+)"/g
		: $type eq "NUMBER" ? $rest =~ /^(\d+), (\d+), (\d+)/ : ()), "\n"' harness/cell/settings.h > "$dir/settings"

{
	perl -0777 -ne 'for (/_keys\[\] = \{.*?\n\};/sg) { print "$1\n" while /^\t\{ "(\w+)"/mg }' harness/plan/plan.c
	awk '{ print $2 }' "$dir/settings"
} > "$dir/code"
pod_items swapcal-plan.5.pod KEYS > "$dir/man"
same "$dir/man" "$dir/code" 'swapcal-plan(5) has the keys of plans'

{
	quoted '\w+_names\[\] = \{.*?\}' harness/cell/cell.c harness/plan/plan.c
	quoted '\[KNOWN_\w+\] = \{ "[^"]*"' calibrate/evidence/known.c
	perl -0777 -ne 'print "$1\n" while /\{ \.name = "(\w+)"/g' calibrate/evidence/onset.c
	awk '$1 == "CHOICE" { for (i = 3; i <= NF; i++) print $i }' "$dir/settings"
	printf 'true\nfalse\n'
} | sort -u > "$dir/code"
pod_bold swapcal-plan.5.pod KEYS | sort -u > "$dir/bold"
comm -23 "$dir/code" "$dir/bold" > "$dir/missing"
[ "$(wc -l < "$dir/code")" -gt 10 ]
ok $? 'the words that keys accept are found in the code'
none "$dir/missing" 'swapcal-plan(5) has each of them'
# What is bold but is no such word: sizes, which may be numbers as well.
printf 'small\nlarge\n' | sort - "$dir/code" | comm -13 - "$dir/bold" > "$dir/unknown"
none "$dir/unknown" 'and no other'

# Bounds and defaults: "KEY MIN MAX DEFAULT", the default being "-" where there is none.
preprocessed harness/plan/plan.c | perl -0777 -ne '
	print "$1 $2 $3 ", $4 // "-", "\n"
		while /\{ "(\w+)", SETTING_NUMBER,[^}]*\.least = (\d+),\s*\.most = (\d+)(?:,\s*\.fallback\.number = (\d+))?/g' > "$dir/numbers"
sed -n 's/^NUMBER //p' "$dir/settings" >> "$dir/numbers"
while read -r key min max default; do
	# With a single value there is nothing to choose.
	[ "$min" -lt "$max" ] || continue
	sed -n "/^=item $key\$/,/^=\(item\|back\)/p" docs/swapcal-plan.5.pod > "$dir/item"
	grep -q "\b$min to $max\b" "$dir/item" || echo "$key: is $min to $max"
	[ "$default" = - ] || grep -q "efault $default\b" "$dir/item" || echo "$key: default is $default"
done < "$dir/numbers" > "$dir/wrong"
[ "$(wc -l < "$dir/numbers")" -ge 8 ]
ok $? 'the numbers that keys accept are found in the code'
none "$dir/wrong" 'swapcal-plan(5) has their bounds and defaults'

quoted 'keys\[\] = \{.*?\}' harness/image/recipe.c > "$dir/code"
pod_items swapcal.1.pod RECIPES > "$dir/man"
same "$dir/man" "$dir/code" 'swapcal(1) has the keys of recipes'

for plan in examples/*.yaml; do
	sed -n 's/^image: *//p' "$plan" | tr -d '[] ' | tr ',' '\n' > "$dir/image"
	[ -s "$dir/image" ] && while read -r image; do [ -e "vm-images/$image.yaml" ] || exit 1; done < "$dir/image"
	ok $? "$plan names an image that there is a recipe for"
	# Without that image the plan's own mistakes are still found first, with their line.
	XDG_CACHE_HOME=$dir ./swapcal run "$plan" --dry-run 2>&1 | grep "^swapcal: $plan:" > "$dir/err"
	none "$dir/err" "$plan has no mistake"
done
done_testing
