# SPDX-License-Identifier: GPL-3.0-or-later
# For tests written in shell: TAP and a directory of the test's own. A test is run from the top of the source tree.

# What a user may have set is not what is tested.
export LC_ALL=C.UTF-8 TZ=UTC
unset TMPDIR MAKEFLAGS MFLAGS MAKELEVEL COLUMNS CDPATH PYTHONPATH PYTHONHASHSEED LIBVIRT_DEFAULT_URI SWAPCAL_DATADIR
umask 022

# Seconds after which a command hangs, whatever the host: a busy one is slow, and no test is about that.
hangs_s=1200

count=0
failed=0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

# ok STATUS TEXT: one check; STATUS 0 is good
ok() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		failed=1
	fi
}

# explain FILE: what a failed check has to say
explain() {
	head -n 100 "$1" | sed 's/^/# /'
}

# is GOT WANT TEXT
is() {
	[ "$1" = "$2" ]
	ok $? "$3"
	[ "$1" = "$2" ] || printf '# got:  %s\n# want: %s\n' "$1" "$2"
}

# within VALUE LOW HIGH TEXT: numbers, may have decimals
within() {
	awk -v v="$1" -v l="$2" -v h="$3" 'BEGIN { exit !(v != "" && v == v + 0 && v >= l && v <= h) }'
	found=$?
	ok $found "$4"
	[ $found -eq 0 ] || echo "# $1 is not in [$2, $3]"
}

# same GOT WANT TEXT: two files of words, one a line, in any order, have the same words, and any at all
same() {
	sort -u "$1" > "$dir/same.got"
	sort -u "$2" > "$dir/same.want"
	[ -s "$dir/same.want" ] && diff "$dir/same.want" "$dir/same.got" > "$dir/same.diff"
	equal=$?
	ok $equal "$3"
	[ $equal -eq 0 ] || { echo '# < should be there, > should not:'; explain "$dir/same.diff"; }
}

# none FILE TEXT: the file, a list of what is wrong, is empty
none() {
	[ ! -s "$1" ]
	clean=$?
	ok $clean "$2"
	[ $clean -eq 0 ] || explain "$1"
}

# succeeds TEXT COMMAND...: ends with status 0; else what it printed is shown
succeeds() {
	text=$1
	shift
	"$@" > "$dir/succeeds.out" 2>&1
	status=$?
	ok $status "$text"
	[ $status -eq 0 ] || explain "$dir/succeeds.out"
	return $status
}

# wait_until SECONDS COMMAND...: asks again until the command succeeds; fails when time is up
wait_until() {
	tries=$(($1 * 10))
	shift
	until "$@" > /dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}

# done_testing: the end of a test
done_testing() {
	echo "1..$count"
	exit $failed
}
