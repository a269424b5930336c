#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Dependencies point one way: base <- calibrate <- harness; each big library has its one place.
set -u
status=0

# complain WHAT: reads offending lines, fails when there are any
complain() {
	lines=$(cat)
	[ -z "$lines" ] && return
	printf 'check-layers: %s:\n%s\n' "$1" "$lines" >&2
	status=1
}


# The lists go through files, not pipes, so that complain runs in this shell.
tmp=$(mktemp) || exit 1
trap 'rm -f "$tmp"' EXIT

check() {
	what=$1
	shift
	"$@" > "$tmp"
	complain "$what" < "$tmp"
}

includes() {
	grep -nE '#include "' -r --include='*.[ch]' "$1" | grep -vE "$2"
}

library() {
	grep -rnE "#include <$2>" --include='*.[ch]' harness calibrate guest | grep -vE "^($1):"
}

check 'base/ may include base/ only' includes harness/base '#include "harness/base/'
check 'calibrate/ may include base/, calibrate/ and guest/proto.h only' \
	includes calibrate '#include "(harness/base/|calibrate/|guest/proto\.h)'
check 'guest/ may include guest/ only' includes guest '#include "guest/'
check 'the host may include guest/proto.h only of guest/' \
	sh -c 'grep -rn "#include \"guest/" --include="*.[ch]" harness calibrate | grep -v guest/proto.h'
check 'libvirt belongs in domain*' library 'harness/domain[a-z-]*\.[ch]' 'libvirt/.*'
check 'libguestfs belongs in one file' library 'harness/rootdisk\.c' 'guestfs\.h'
check 'SQLite belongs in store* and query*' library 'harness/(store|query)[a-z-]*\.[ch]' 'sqlite3\.h'
check 'libcsv belongs in one file' library 'harness/pairs\.c' 'csv\.h'
check 'GSL belongs in calibrate/' library 'calibrate/[a-z-]*\.[ch]' 'gsl/.*'
check 'calibrate/ does no I/O and has no clock' \
	grep -rnE '\b(fopen|open|read|write|printf|clock_gettime|time|getenv)\(' --include='*.c' calibrate
check 'only cmd-*.c, main.c and the text writers they call print' \
	sh -c 'grep -rnE "\b(printf|puts|putchar)\(" --include="*.c" harness | grep -vE "^harness/(cmd-[a-z]*|main)\.c:"'
exit $status
