#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Subcommands and options: the code, --help and swapcal(1) name the same ones.
. tests/docs/lib.sh

# options FILE: of its table (see cli.h), and the one that all have
options() {
	perl -0777 -ne 'print "--$1\n", $2 ? "-$2\n" : "" while /\{\s*"([a-z-]+)",\s*(?:\x27(\w)\x27,\s*)?\.\w+ = /g' "$1"
	printf '%s\n' --help -h
}

# in_help FILE: every option a help text names, be it in its usage, its list or its examples
in_help() {
	perl -ne 'print "$1\n" while /(?<![\w-])(--?[a-zA-Z][a-z-]*)/g' "$1"
}

./swapcal --help > "$dir/help"
sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' "$dir/help" > "$dir/commands"
perl -0777 -ne 'print "$1\n" while /\{\s*"(\w+)",\s*cmd_\w+,/g' harness/cmd/main.c > "$dir/commands.code"
grep '^=head2 swapcal ' docs/swapcal.1.pod | cut -d' ' -f3 > "$dir/commands.man"
pod_section swapcal.1.pod SYNOPSIS | sed -n 's/^ swapcal \([a-z]*\) .*/\1/p' > "$dir/commands.synopsis"
same "$dir/commands" "$dir/commands.code" 'swapcal --help lists every subcommand'
same "$dir/commands.man" "$dir/commands.code" 'swapcal(1) has a section for every subcommand'
same "$dir/commands.synopsis" "$dir/commands.code" 'its synopsis has every subcommand'

sed -n "/^Options:/,\$p" "$dir/help" > "$dir/options"
in_help "$dir/options" > "$dir/got"
pod_items swapcal.1.pod OPTIONS > "$dir/want"
same "$dir/got" "$dir/want" 'swapcal --help and swapcal(1) have the same general options'

while read -r command; do
	./swapcal "$command" --help > "$dir/help" 2> "$dir/err"
	is "$?:$(cat "$dir/err")" '0:' "swapcal $command --help succeeds, on standard output"
	options "harness/cmd/cmd-$command.c" > "$dir/code"
	in_help "$dir/help" > "$dir/got"
	same "$dir/got" "$dir/code" "swapcal $command --help names the options there are"
	pod_items swapcal.1.pod "swapcal $command\\b.*" > "$dir/got"
	same "$dir/got" "$dir/code" "swapcal(1) has the options of swapcal $command"
done < "$dir/commands.code"

quoted 'struct verb \{.*?\n\};' harness/cmd/cmd-image.c > "$dir/verbs"
grep '^=head2 swapcal image ' docs/swapcal.1.pod | sed 's/.* image //' | tr -d ' ' | tr , '\n' > "$dir/got"
same "$dir/got" "$dir/verbs" 'swapcal(1) has every verb of swapcal image'
./swapcal image --help | sed -n '/^$/,/^Options/s/^  \([a-z][a-z]*\)  .*/\1/p' > "$dir/got"
same "$dir/got" "$dir/verbs" 'swapcal image --help has them too'
done_testing
