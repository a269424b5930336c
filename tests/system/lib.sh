# SPDX-License-Identifier: GPL-3.0-or-later
# For system tests: real guests of the image that is built once and kept in the cache.
. tests/lib.sh

swapcal=$PWD/swapcal

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

# guests NAME: how many QEMU processes there are of guests whose name begins with swapcal-NAME; others may run guests of theirs
guests() {
	pgrep -fc "qemu-system.*guest=swapcal-$1"
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

# build_image [NAME]: the image that most tests need, or another; nothing to do when the cache has it
build_image() {
	if ! "$swapcal" image build "${1:-bookworm}" > "$dir/build.out" 2>&1; then
		sed 's/^/# /' "$dir/build.out"
		echo 'Bail out! the image cannot be built'
		exit 1
	fi
}

# small_plan NAME [REPLICATES]: a plan in $dir/plan.yaml for small guests, called swapcal-NAME-$$-...; a guest has the first 16 letters of its
# plan's name
small_plan() {
	cat > "$dir/plan.yaml" <<- END
		name: $1-$$
		image: bookworm
		guest: {ram_mib: 80, swap_mib: 64}
		method: [growth]
		replicates: ${2:-1}
		loads:
		  - {workload: strings, interpreter: [python3]}
	END
}
