#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Exit statuses: the code, swapcal(1), README.md and --help agree.
. tests/docs/lib.sh

sed -n '/^static const int exit_codes/,/^};/p' harness/cmd/main.c | grep -oE '\] = [0-9]+' | grep -oE '[0-9]+' | sort -n > "$dir/code"
pod_items swapcal.1.pod 'EXIT STATUS' > "$dir/man"
sed -n '/^## Exit status/,/^## T/s/^| \([0-9]*\) | .*/\1/p' README.md > "$dir/readme"
same "$dir/man" "$dir/code" 'swapcal(1) has every exit status'
same "$dir/readme" "$dir/code" 'README.md has every exit status'

for command in run image doctor; do
	./swapcal $command --help | sed -n '/^Exit status:/,$p' | grep -oE '(^|[ ,])[0-9]+ [a-z]' | grep -oE '[0-9]+' \
		> "$dir/help"
	sort -u "$dir/code" > "$dir/known"
	sort -u "$dir/help" | comm -23 - "$dir/known" > "$dir/unknown"
	[ -s "$dir/help" ]
	ok $? "swapcal $command --help has exit statuses"
	none "$dir/unknown" "swapcal $command --help has none that there is not"
done

# status_of ARGUMENT...
status_of() {
	./swapcal "$@" > /dev/null 2>&1
	echo $?
}

printf 'name: x\nimage: y\nguest: {ram_mb: 1}\n' > "$dir/plan.yaml"
is "$(status_of --help)" 0 '0: ok'
is "$(status_of report "$dir/nothing.swapcal")" 1 '1: a results file that is not there'
is "$(status_of)" 2 '2: no arguments'
is "$(status_of nonesuch)" 2 '2: a subcommand that there is not'
is "$(status_of run --nonesuch)" 2 '2: an option that there is not'
is "$(status_of run "$dir/plan.yaml" --dry-run)" 2 '2: a plan with an unknown key'
done_testing
