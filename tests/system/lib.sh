# SPDX-License-Identifier: GPL-3.0-or-later
# For system tests: TAP, a directory of the test's own, the guest image (built once, kept in the cache).
# A test is run from the top of the source tree.

swapcal=$PWD/swapcal
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

# is GOT WANT TEXT
is() {
	[ "$1" = "$2" ]
	ok $? "$3"
	[ "$1" = "$2" ] || printf '# got:  %s\n# want: %s\n' "$1" "$2"
}

# has FILE PATTERN TEXT: the file has a line that the extended regular expression matches
has() {
	grep -Eq -- "$2" "$1"
	found=$?
	ok $found "$3"
	[ $found -eq 0 ] || { echo "# no line of $1 matches: $2"; sed 's/^/# /' "$1" | tail -n 30; }
}

# within VALUE LOW HIGH TEXT: numbers, may have decimals
within() {
	awk -v v="$1" -v l="$2" -v h="$3" 'BEGIN { exit !(v != "" && v >= l && v <= h) }'
	found=$?
	ok $found "$4"
	[ $found -eq 0 ] || echo "# $1 is not in [$2, $3]"
}

# guests: how many QEMU processes of ours there are
guests() {
	pgrep -fc 'qemu-system.*guest=swapcal-'
}

# build_image: the image that most tests need; nothing to do when the cache has it
build_image() {
	if ! "$swapcal" image build bookworm > "$dir/build.out" 2>&1; then
		sed 's/^/# /' "$dir/build.out"
		echo 'Bail out! the image cannot be built'
		exit 1
	fi
}

# done_testing: the end of a test
done_testing() {
	echo "1..$count"
	exit $failed
}
