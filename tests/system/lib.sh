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

# guests NAME: how many QEMU processes there are of guests whose name begins with swapcal-NAME; others may run guests of theirs
guests() {
	pgrep -fc "qemu-system.*guest=swapcal-$1"
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
