#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# No files of the host program need one another in a circle, and the check sees one that does. Runs after `make`.
. tests/lib.sh

# Those of sources that are there: a build directory may hold older ones.
objects=$(find harness calibrate -name '*.c' | sed 's|.*|build/&|; s|c$|o|')
succeeds 'no circles between files' perl tests/structure/cycles.pl $objects
sed 's/^/# /' "$dir/succeeds.out"

# compiled NAME BODY
compiled() {
	printf '%s\n' "$2" > "$dir/$1.c"
	gcc -c -o "$dir/$1.o" "$dir/$1.c"
}

compiled one 'int two(void); int one(void) { return two(); }'
compiled two 'int three(void); int two(void) { return three(); }'
compiled three 'int one(void); int three(void) { return one(); }'
compiled four 'int one(void); int four(void) { return one(); }'
! perl tests/structure/cycles.pl "$dir/one.o" "$dir/two.o" "$dir/three.o" "$dir/four.o" > "$dir/out"
ok $? 'a circle of three is found'
is "$(grep -c ' needs ' "$dir/out")" 3 'all three are named, and not the one that only needs them'
succeeds 'a row is no circle' perl tests/structure/cycles.pl "$dir/four.o" "$dir/one.o"
done_testing
