# SPDX-License-Identifier: GPL-3.0-or-later
# For system tests: real guests of the image that is built once and kept in the cache.
. tests/lib.sh

swapcal=$PWD/swapcal

# has FILE PATTERN TEXT: the file has a line that the extended regular expression matches
has() {
	grep -Eq -- "$2" "$1"
	found=$?
	ok $found "$3"
	[ $found -eq 0 ] || { echo "# no line of $1 matches: $2"; explain "$1"; }
}

# guests NAME: how many QEMU processes there are of guests whose name begins with swapcal-NAME; others may run guests of theirs
guests() {
	pgrep -fc "qemu-system.*guest=swapcal-$1"
}

# has_ended PID
has_ended() {
	! kill -0 "$1" 2> /dev/null
}

# probes FILE: how many have ended
probes() {
	[ -s "$1" ] && sqlite3 "$1" 'SELECT count(*) FROM probe' 2> /dev/null || echo 0
}

# has_probes FILE N [PID]: N probes or more, or that process is at its end
has_probes() {
	[ "$(probes "$1")" -ge "$2" ] || { [ $# -eq 3 ] && has_ended "$3"; }
}

# some_probes N FILE COMMAND...: swapcal run into FILE, ended when it has N, with what it prints in FILE.out; COMMAND begins the command line
some_probes() {
	wanted=$1 file=$2
	shift 2
	"$@" -o "$file" > "$file.out" 2>&1 &
	wait_until $hangs_s has_probes "$file" "$wanted" $!
	# By the file that it writes: in front of it there may be others.
	[ -e "$file-lock" ] && kill -TERM "$(cat "$file-lock")"
	wait $!
}

# number FILE KEY: of lines "key number"
number() {
	awk -v key="$2" '$1 == key { print $2 }' "$1"
}

# took FILE: the seconds that a tool of these tests tells
took() {
	sed -n 's/^took \([0-9.]*\) s$/\1/p' "$1"
}

# plan NAME LINE...: $dir/plan.yaml, of guests of bookworm that are called swapcal-NAME-$$-...; a guest has the first 16 letters of its
# plan's name
plan() {
	echo "name: $1-$$" > "$dir/plan.yaml"
	shift
	printf '%s\n' 'image: bookworm' "$@" >> "$dir/plan.yaml"
}

# run OUTPUT [OPTION]...: runs it, with messages in $dir/err
run() {
	output=$1
	shift
	"$swapcal" run "$dir/plan.yaml" -o "$output" "$@" 2> "$dir/err"
}

# build_image [NAME]: the image that most tests need, or another; nothing to do when the cache has it
build_image() {
	if ! "$swapcal" image build "${1:-bookworm}" > "$dir/build.out" 2>&1; then
		sed 's/^/# /' "$dir/build.out"
		echo 'Bail out! the image cannot be built'
		exit 1
	fi
}

# small_plan NAME [REPLICATES]: a plan for small guests, which boot once each replicate
small_plan() {
	plan "$1" 'guest: {ram_mib: 80, swap_mib: 64}' 'method: [growth]' "replicates: ${2:-1}" 'start: restore' \
		'loads: [{workload: strings, interpreter: [python3]}]'
}
