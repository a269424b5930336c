#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Includes go to lower floors, and the check sees one that does not.
. tests/lib.sh

succeeds 'every include goes where tests/structure/layers.list allows' sh tests/structure/layers.sh

# A house of the test's own, with the same list.
mkdir -p "$dir/tests/structure" "$dir/harness/store" "$dir/harness/cmd" "$dir/calibrate/stats" "$dir/guest"
cp tests/structure/layers.* "$dir/tests/structure"

# refused FILE LINE TEXT: a house with only that line in that file is refused, and the file named
refused() {
	echo "$2" > "$dir/$1"
	(cd "$dir" && sh tests/structure/layers.sh) > "$dir/out" 2>&1 && echo 'no complaint' > "$dir/out"
	grep -qF "$1:1:" "$dir/out"
	named=$?
	ok $named "$3"
	[ $named -eq 0 ] || explain "$dir/out"
	rm "$dir/$1"
}

refused harness/store/a.c '#include "harness/report/report.h"' 'an include that goes up is refused'
refused harness/store/a.c '#include "harness/query/query.h"' 'one that goes sideways too'
refused harness/store/a.c '#include "harness/attic/a.h"' 'one of no room too'
refused harness/store/a.c '#include <libvirt/libvirt.h>' 'a library of another room too'
refused harness/store/a.c '#include <nobody.h>' 'a library of no room too'
refused calibrate/stats/a.c 'int f(void) { return open("x", 0); }' 'calibrate/ may not read files'
refused harness/store/a.c 'void f(void) { puts("x"); }' 'only harness/cmd prints'

echo '#include "harness/base/err.h"' > "$dir/harness/store/a.c"
succeeds 'an include that goes down is fine' sh -c 'cd "$1" && sh tests/structure/layers.sh' sh "$dir"
done_testing
