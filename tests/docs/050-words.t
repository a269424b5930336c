#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Flags, outcomes, phases, what is missing, CSV columns, environment: swapcal(1) explains every one that the code has.
. tests/docs/lib.sh

{
	quoted '(?:probe_flag|flags_add)\([^;]*;' harness/*/*.c
	quoted '\bflags = [^;]*;' harness/report/report-z.c
	quoted 'char \*flags_of\(.*?\n\}' harness/report/report-z.c
} | grep -xE '[a-z-]+' > "$dir/code"
pod_items swapcal.1.pod Flags > "$dir/man"
same "$dir/man" "$dir/code" 'the flags'

quoted 'outcome_names\[\] = \{.*?\n\}' harness/cell/record.c > "$dir/outcomes"
pod_items swapcal.1.pod OUTCOMES > "$dir/man"
same "$dir/man" "$dir/outcomes" 'the outcomes'

quoted 'probe_phase_names\[\w*\] = \{.*?\n\}' harness/cell/record.c > "$dir/code"
pod_items swapcal.1.pod PHASES > "$dir/man"
same "$dir/man" "$dir/code" 'the phases'

perl -0777 -ne 'print "$1\n" while /add_gap\(r, cell, [^",;]*, "([a-z-]+)"/g' harness/report/report-gaps.c | sort -u |
	grep -vxFf "$dir/outcomes" > "$dir/code"
pod_items swapcal.1.pod 'Not measured' > "$dir/man"
same "$dir/man" "$dir/code" 'what is not measured'

perl -0777 -ne '
	exit unless /struct field all\[FIELDS\] = \{(.*?)\n\t\};/s;
	my $list = $1;
	print "$1\n" while $list =~ /_(?:field|text|number)\((?:c, )?"(\w+)"/g' harness/report/report-rows.c > "$dir/code"
pod_section swapcal.1.pod REPORTS | grep -E '^ [a-z_0-9,]+$' | tr -d ' \n' | tr , '\n' > "$dir/man"
echo >> "$dir/man"
same "$dir/man" "$dir/code" 'the columns of the CSV'
[ "$(tr '\n' ' ' < "$dir/man")" = "$(tr '\n' ' ' < "$dir/code")" ]
ok $? 'in their order'

# HOME and PATH are what they are for every program.
quoted '\bgetenv\("\w+"\)' $(find harness -name '*.c') | grep -vxE 'HOME|PATH' > "$dir/code"
pod_items swapcal.1.pod ENVIRONMENT > "$dir/man"
same "$dir/man" "$dir/code" 'the environment'

quoted 'category_names\[\w*\] = \{.*?\n\}' harness/base/log.c > "$dir/code"
pod_section swapcal.1.pod ENVIRONMENT | sed -n '/^=item B<SWAPCAL_DEBUG>/,/^=item B<LIB/p' | grep -oE 'C<[a-z]+>' | tr -d 'C<>' |
	sort -u | grep -vx all > "$dir/man"
same "$dir/man" "$dir/code" 'the categories of SWAPCAL_DEBUG'

quoted 'CREATE TABLE.*?STRICT' harness/store/store.c > "$dir/schema"
perl -ne 'print "$1\n" if /CREATE TABLE (\w+)/' harness/store/store.c | grep -vx meta > "$dir/code"
pod_items swapcal.1.pod 'RESULTS FILE' > "$dir/man"
same "$dir/man" "$dir/code" 'the tables of a results file'
done_testing
