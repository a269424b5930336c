# SPDX-License-Identifier: GPL-3.0-or-later
# For system tests: a libvirtd and a virtlogd of the test's own, for qemu:///system. They run in a mount namespace in which libvirt's
# directories are the test's, so that a libvirtd of the machine is not seen, and not disturbed, and in a network namespace, so that nobody
# else can connect. Needs root. Source it after lib.sh; begin with libvirtd_start_or_skip. QEMU runs as libvirt-qemu, as usual, and any user
# may connect.

libvirtd_dir=$dir/libvirtd # run, lib, log, cache and etc of libvirt, and what the daemons print
libvirtd_holder=           # process that keeps the namespace
libvirtd_pid=
virtlogd_pid=

# in_libvirtd COMMAND...: where the test's libvirtd is qemu:///system. `in_libvirtd COMMAND & pid=$!` gives the pid of a subshell: signals are
# for the command, `in_libvirtd sh -c 'echo $$ > FILE; exec COMMAND'` tells which that is. The current directory stays.
in_libvirtd() {
	nsenter --target "$libvirtd_holder" --mount --net sh -c 'cd "$1" && shift && exec "$@"' sh "$PWD" "$@"
}

# Ends with the test, whatever ends that.
start_holder() {
	for part in run lib log cache etc; do
		mkdir -p "$libvirtd_dir/$part" && chmod 755 "$libvirtd_dir/$part" || return 1
	done
	setpriv --pdeathsig KILL unshare --mount --net sh -c '
		for mount in run:/run lib:/var/lib log:/var/log cache:/var/cache etc:/etc; do
			mkdir -p "${mount#*:}/libvirt" && mount --bind "$1/${mount%%:*}" "${mount#*:}/libvirt" || exit 1
		done
		ip link set lo up
		touch "$1/is-mounted" && exec sleep infinity' sh "$libvirtd_dir" 2> "$libvirtd_dir/holder.err" &
	libvirtd_holder=$!
	wait_until $hangs_s test -e "$libvirtd_dir/is-mounted"
}

# start_daemon NAME SOCKET [OPTION]...: sets $! to its pid
start_daemon() {
	name=$1
	socket=$libvirtd_dir/run/$2
	shift 2
	rm -f "$socket"
	nsenter --target "$libvirtd_holder" --mount --net setpriv --pdeathsig KILL "$name" --pid-file "$libvirtd_dir/run/$name.pid" "$@" \
		>> "$libvirtd_dir/$name.out" 2>&1 &
	wait_until $hangs_s test -S "$socket"
}

# libvirtd_start [CONFIGURATION]...: starts both, with lines for libvirtd.conf; libvirtd gets --listen when there are any
libvirtd_start() {
	[ "$(id -u)" -eq 0 ] && command -v libvirtd > /dev/null && command -v virtlogd > /dev/null || return 1
	if [ -z "$libvirtd_holder" ]; then
		start_holder || return 1
	fi
	printf '%s\n' 'auth_unix_rw = "none"' 'unix_sock_rw_perms = "0777"' 'listen_tls = 0' "$@" > "$libvirtd_dir/etc/libvirtd.conf"
	[ $# -gt 0 ] && libvirtd_listen=--listen || libvirtd_listen=
	if [ -z "$virtlogd_pid" ]; then
		start_daemon virtlogd virtlogd-sock || return 1
		virtlogd_pid=$!
	fi
	libvirtd_continue
}

# libvirtd_start_or_skip [CONFIGURATION]...: ends the test where there can be none
libvirtd_start_or_skip() {
	libvirtd_start "$@" && return
	libvirtd_stop
	echo '1..0 # SKIP no libvirtd of our own: needs root, libvirtd, virtlogd and namespaces'
	exit 0
}

# libvirtd_kill [SIGNAL]: ends libvirtd alone, by default with SIGTERM; its guests live on but for those it destroys with its clients
libvirtd_kill() {
	kill -"${1:-TERM}" "$libvirtd_pid"
	wait "$libvirtd_pid" 2> /dev/null
	libvirtd_pid=
}

# libvirtd_continue: starts it again, as it was started at first
libvirtd_continue() {
	start_daemon libvirtd libvirt-sock $libvirtd_listen
	status=$?
	libvirtd_pid=$!
	return $status
}

# libvirtd_stop: ends all that was started here; for the end of a test
libvirtd_stop() {
	for pid in $libvirtd_pid $virtlogd_pid $libvirtd_holder; do
		kill "$pid" 2> /dev/null
		wait_until 15 has_ended "$pid" || kill -KILL "$pid"
	done
	libvirtd_pid= virtlogd_pid= libvirtd_holder=
}
