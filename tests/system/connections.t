#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The same plan through every kind of connection: the same cells, the same answers. What a host name on the way may be.
. tests/system/lib.sh
. tests/system/libvirtd.sh
build_image
port=16509
libvirtd_start_or_skip 'listen_tcp = 1' 'auth_tcp = "none"' 'listen_addr = "127.0.0.1"' "tcp_port = \"$port\""

nobody=65534
chmod 711 "$dir"
mkdir "$dir/home" "$dir/home/run" "$dir/home/cache" "$dir/home/cache/swapcal"
# Images are large, and links of them are as good.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/swapcal/images
cp -al "$cache" "$dir/home/cache/swapcal/images" 2> /dev/null || cp -a "$cache" "$dir/home/cache/swapcal/images"
find "$dir/home" -type d -exec chown $nobody:$nobody {} +
chmod 700 "$dir/home" "$dir/home/run"

# Begins the command line of an ordinary user with a home; that of a job, which is then the command itself, and ends with the test.
as_nobody="setpriv --reuid=$nobody --regid=$nobody --clear-groups --pdeathsig KILL env HOME=$dir/home XDG_CACHE_HOME=$dir/home/cache \
	XDG_RUNTIME_DIR=$dir/home/run"

plan connections 'guest: {ram_mib: [96]}' 'method: [threshold]'
chmod 644 "$dir/plan.yaml"

# a_probe NAME COMMAND...: into a file of that name
a_probe() {
	name=$1
	shift
	some_probes 1 "$dir/home/$name.swapcal" "$@"
	is $? 130 "$name: interrupted after a probe"
}

# shows FILE: the cell, and how its first probe ended
shows() {
	sqlite3 "$1" "select cell_key, kind from probe where id = 1; select outcome from probe where id = 1"
}

# ballast FILE: how much of it there was when the guest swapped
ballast() {
	sqlite3 "$1" "select load_pages from probe where kind = 'ramp' order by id limit 1"
}

run="run $dir/plan.yaml"
a_probe embedded "$swapcal" $run
shows "$dir/home/embedded.swapcal" > "$dir/want"
has "$dir/want" '\|ramp$' 'the embedded driver: a ballast grows until the guest swaps'
sed 's/^/# /' "$dir/want"
want=$(ballast "$dir/home/embedded.swapcal")

# same_answers NAME URI: as the embedded driver gave
same_answers() {
	shows "$dir/home/$1.swapcal" > "$dir/got"
	is "$(cat "$dir/got")" "$(cat "$dir/want")" "$1: the same cell, and the same end"
	# Repeats in one guest agree to half a percent.
	within "$(ballast "$dir/home/$1.swapcal")" $((want * 97 / 100)) $((want * 103 / 100)) '... and as large a ballast'
	is "$(sqlite3 "$dir/home/$1.swapcal" "select audit ->> '\$.connection.uri' from run")" "$2" "... through $2"
	is "$(stat -c %a "$dir/home/$1.swapcal")" 600 '... in a file for its owner alone'
	sed 's/^/# /' "$dir/home/$1.swapcal.out" | tail -n 3
	is "$(guests connections-$$)" 0 '... no guest is left'
}

a_probe system in_libvirtd "$swapcal" $run -c qemu:///system
same_answers system qemu:///system
a_probe loopback in_libvirtd "$swapcal" $run -c "qemu+tcp://127.0.0.1:$port/system"
same_answers loopback "qemu+tcp://127.0.0.1:$port/system"
a_probe user in_libvirtd setpriv --reuid=$nobody --regid=$nobody --clear-groups env HOME="$dir/home" \
	XDG_CACHE_HOME="$dir/home/cache" "$swapcal" $run -c qemu:///system
same_answers user qemu:///system
# The daemon's log keeper, which is root's, writes the console.
# Too small by some MiB a kernel says nothing at all, too small by one or two it panics.
sed 's/96/66, 67, 68, 69/' "$dir/plan.yaml" > "$dir/small.yaml"
some_probes 4 "$dir/home/small.swapcal" in_libvirtd setpriv --reuid=$nobody --regid=$nobody --clear-groups env HOME="$dir/home" \
	XDG_CACHE_HOME="$dir/home/cache" "$swapcal" run "$dir/small.yaml" -c qemu:///system
sqlite3 "$dir/home/small.swapcal" 'select outcome, reason, console from probe' > "$dir/small" 2>&1
has "$dir/small" '^boot-fail\|' 'user: a guest too small to boot'
has "$dir/small" 'Kernel panic' '... of which the console can be read'

# A session's daemons, which would live on for two minutes if libvirt started them.
$as_nobody virtlogd > "$dir/session-virtlogd.out" 2>&1 &
session_virtlogd=$!
$as_nobody libvirtd > "$dir/session-libvirtd.out" 2>&1 &
session_libvirtd=$!
wait_until $hangs_s test -S "$dir/home/run/libvirt/libvirt-sock"
a_probe session $as_nobody "$swapcal" $run -c qemu:///session
same_answers session qemu:///session
for pid in $session_libvirtd $session_virtlogd; do
	kill $pid
	wait_until $hangs_s has_ended $pid
	ok $? '... and its daemons end'
done

# refuse URI: sets the exit status
refuse() {
	in_libvirtd "$swapcal" $run -c "$1" -o "$dir/home/r.swapcal" 2> "$dir/err"
}
refuse qemu+tcp://calib2.example.org/system
is $? 2 'another machine is wrong usage'
has "$dir/err" "run swapcal on 'calib2.example.org' itself" 'and the error says what to do'
refuse qemu+tcp://127.0.0.1:1/system
is $? 3 'a port where nobody listens makes the host unsuitable'
has "$dir/err" "cannot connect to 'qemu\+tcp://127.0.0.1:1/system': libvirt: .*refused" 'with the reason'
libvirtd_stop
done_testing
