#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What a workload cannot do is said in one line, with status 77; what it does not understand, with status 2.
. tests/workloads/lib.sh

# status_is WANT PATTERN TEXT COMMAND...: status, and one line on standard error that matches
status_is() {
	want=$1 pattern=$2 text=$3
	shift 3
	"$@" > "$dir/out" 2> "$dir/err" < /dev/null
	is "$?:$(wc -l < "$dir/err"):$(wc -c < "$dir/out")" "$want:1:0" "$text"
	grep -q -e "$pattern" "$dir/err"
	ok $? 'and says so'
}

for name in bare modules nbody richards; do
	status_is 77 'no mode grow' "$name does not grow" $python "$(script $name)" --mode grow
done
status_is 77 'old style' 'Python 3 has no instances of the old style' $python "$(script oldstyle)"
mkdir "$dir/no"
echo 'raise ImportError("not here")' | tee "$dir/no/sympy.py" > "$dir/no/lxml.py"
for name in sympy_expand lxml_tree; do
	status_is 77 "${name%_*} cannot be imported: not here" "$name needs its library" \
		env PYTHONPATH="$dir/no" $python "$(script $name)" --mode hold
done
if lua5.4 -v > /dev/null 2>&1; then
	status_is 77 'cannot fork' 'Lua does not fork' lua5.4 $workloads/strings.lua --mode hold --processes 2
	status_is 2 "'--nonesuch'" 'Lua: an unknown option' lua5.4 $workloads/strings.lua --nonesuch 1
	is "$(control --look none --answer full=fork -- lua5.4 $workloads/strings.lua --mode hold --size-kib 64 |
		tail -n 1)" 'exit=77 left=0' 'nor when it is asked to'
else
	skip 'lua5.4 is not installed'
fi

for arguments in '--nonesuch 1' '--mode' '--mode shrink' '--size-kib 0' '--size-kib 1x' '--seed -1' '--processes=0' 'x'; do
	status_is 2 --help "strings.py $arguments: wrong" $python "$(script strings)" $arguments
done
status_is 0 '' '--name=value is good as well' sh -c \
	"$python $(script strings) --mode=hold --size-kib=64 --rounds=1 && echo good >&2"
$python "$(script strings)" --help > "$dir/out" 2> "$dir/err"
is "$?:$(grep -c -- '^  --' "$dir/out"):$(head -n 1 "$dir/out" | cut -c1-16)" '0:6:Distinct strings' \
	'--help has all options and what the workload is'
done_testing
