#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What a guest's QEMU may do, whose the files are, and that names are names, whatever is in them.
. tests/system/lib.sh
build_image

# start_run NAME OUTPUT COMMAND...: COMMAND begins the command line of a swapcal run; sets $run to its pid when its first guest is there
start_run() {
	name=$1 output=$2
	shift 2
	"$@" > "$dir/run.out" 2>&1 &
	run=$!
	wait_until $hangs_s has_guest "$name"
}

# By what the plan's name becomes in that of a guest. A QEMU that has its disks open has made itself harmless before.
has_guest() {
	qemu=$(pgrep -f "qemu-system.*guest=swapcal-$1") && find /proc/"$qemu"/fd -lname '*.swap' 2> /dev/null | grep -q .
}

# end_run NAME: once a probe is recorded
end_run() {
	wait_until $hangs_s has_probes "$output" 1 $run
	kill -TERM $run
	wait $run
	sed 's/^/# /' "$dir/run.out" | tail -n 5
	is "$(guests "$1")" 0 'no guest is left'
}

plan safe 'guest: {ram_mib: [96]}' 'method: [threshold]'

# With the most careless umask there is.
(umask 0 && exec "$swapcal" run "$dir/plan.yaml" -n) > "$dir/dry.out" 2>&1
is $? 0 'a plan'
explain "$dir/dry.out"
start_run safe-$$ "$dir/r.swapcal" sh -c 'umask 0; exec "$@"' sh "$swapcal" run "$dir/plan.yaml" -o "$dir/r.swapcal"
ok $? 'a guest'
tr '\0' '\n' < /proc/$qemu/cmdline > "$dir/args"
cat /proc/$qemu/status > "$dir/status"
find /proc/$qemu/fd -lname '/*' -printf '%f %l\n' > "$dir/fds"
slot=$(grep -o '^/var/tmp/swapcal-[0-9]*/[0-9]*/files/' "$dir/args" | head -n 1)
slot=${slot%/files/}

if [ "$(id -u)" -eq 0 ]; then
	is "$(awk '/^Uid:/ { print ($2 && $3 && $4 && $5) ? "others" : "root" }' "$dir/status")" others "QEMU is not root's"
fi
is "$(awk '/^CapEff:/ { print $2 + 0 }' "$dir/status")" 0 'it has no capabilities'
is "$(awk '/^CapPrm:/ { print $2 + 0 }' "$dir/status")" 0 'nor can it get them back'
is "$(awk '/^NoNewPrivs:/ { print $2 }' "$dir/status")" 1 'or new ones from a program'
is "$(awk '/^Seccomp:/ { print $2 }' "$dir/status")" 2 'its system calls are filtered'
has "$dir/args" '^on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny$' 'it may start nothing'
has "$dir/args" '^-nodefaults$' 'it has no device that was not asked for'
grep -A 1 -x -e -device "$dir/args" | grep -o '"driver":"[^"]*"' | sort > "$dir/devices"
is "$(tr '\n' ' ' < "$dir/devices")" \
	'"driver":"isa-serial" "driver":"pvpanic" "driver":"virtio-blk-pci" "driver":"virtio-blk-pci" "driver":"virtio-serial-pci" "driver":"virtserialport" ' \
	'which are its console, disks and line to the agent'
grep -E '^-(netdev|net|nic)$|virtio-net|e1000|"user"' "$dir/args" > "$dir/network"
none "$dir/network" 'and no network'
# A descriptor that can write has O_WRONLY or O_RDWR in the last digit of its flags. One that was closed meanwhile may be another by now.
while read -r fd path; do
	flags=$(awk '/^flags:/ { print $2 }' /proc/$qemu/fdinfo/$fd)
	[ "$(readlink /proc/$qemu/fd/$fd)" = "$path" ] || continue
	case $flags in *[12]) echo "$path" ;; esac
done < "$dir/fds" | grep -v -e '^/dev/null$' -e "^$slot/log/qemu/" -e "^$slot/run/qemu/" -e "^$slot/files/swapcal-safe-$$" > "$dir/writable"
none "$dir/writable" 'it can write its swap disk, its console and its log, and no other file'
has "$dir/fds" "$slot/files/swapcal-safe-$$.*\.swap$" 'of which the first is open'
has "$dir/args" '"read-only":true.*"qcow2"' 'its root disk is read-only'

find "$slot" \( -type f -o -type d -o -type p \) -perm /o+w > "$dir/open"
none "$dir/open" 'with umask 0: no file and no directory at work can be written by everyone'
find "$slot/files" -type f -perm /o+r > "$dir/open"
none "$dir/open" 'nor a file of the guest be read'
find "$dir" -maxdepth 1 -name 'r.swapcal*' ! -perm 600 > "$dir/open"
none "$dir/open" 'results, journal and lock are for their owner alone'
for name in r.swapcal r.swapcal-lock r.swapcal-wal r.swapcal-shm; do
	[ -s "$dir/$name" ]
	ok $? "... of which there is $name"
done
end_run safe-$$

# Names with everything in them that shells, URIs, XML and QEMU's options know, given as they are.
odd="a b'c\"d,,e=%20f?g#h&<i>;\$(touch INJECTED)\`touch INJECTED\`|*\\ é"
mkdir -p "$dir/$odd/cache/swapcal" "$dir/$odd/-work" "$dir/home"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/swapcal/images
cp -al "$cache" "$dir/$odd/cache/swapcal/images" 2> /dev/null || cp -a "$cache" "$dir/$odd/cache/swapcal/images"
echo data > "$dir/$odd/-work/$odd.txt"
cat > "$dir/$odd/-work/odd.py" << 'END'
import os, sys
print(sys.argv[0], os.environ["ODD"])
sys.stdout.flush()
kept = []
while True:
    kept.append(os.urandom(65536))
END
cat > "$dir/$odd/-plan,.yaml" << 'END'
name: "odd $(touch INJECTED); \"quoted\" 'n' -- é, <x> & %s"
image: bookworm
guest: {ram_mib: [96]}
method: [growth]
workloads: -work
interpreters:
  odd: {command: [python3, "-W ignore;$(touch INJECTED)"], env: {ODD: "$(touch INJECTED) 'a' \"b\"; -c <x>,y=é"}}
loads:
  - {workload: odd, interpreter: [odd], checkpoints: false}
END
as_user=
if [ "$(id -u)" -eq 0 ]; then
	# An ordinary user, whose QEMU opens the images where they are.
	as_user='setpriv --reuid=65534 --regid=65534 --clear-groups'
	chmod 711 "$dir"
	find "$dir/$odd" "$dir/home" ! -path '*/images/*' -exec chown 65534:65534 {} +
fi
# TMPDIR is not among them: libguestfs hands it to e2fsprogs, which takes what follows a question mark for options.
cd "$dir/$odd" || exit 1
start_run odd- "$dir/$odd/-r, \$x.swapcal" $as_user env HOME="$dir/home" XDG_CACHE_HOME="$dir/$odd/cache" TMPDIR="$dir/home" \
	SWAPCAL_DATADIR="${swapcal%/swapcal}" sh -c 'umask 077; exec "$@"' sh "$swapcal" run ./-plan,.yaml -o '-r, $x.swapcal'
ok $? 'a guest of odd names'
tr '\0' '\n' < /proc/$qemu/cmdline > "$dir/args"
has "$dir/args" 'INJECTED\)`touch INJECTED`.*/root.qcow2"' 'QEMU has them as they are'
end_run odd-
cd "${swapcal%/swapcal}" || exit 1
sqlite3 "$output" 'select kind, outcome, reason from probe where kind = "growth"; select output from probe' > "$dir/probe" 2>&1
sed 's/^/# /' "$dir/probe"
is "$(find "$dir" -name '*INJECTED' ! -name 'a b*' | wc -l)" 0 'and nobody took them for a command'
is "$(stat -c %a "$output")" 600 'results are for their owner alone'
"$swapcal" report "$output" -o "$dir/$odd/-report %s.txt" && "$swapcal" export "$output" --tree "$dir/$odd/-tree"
is $? 0 'a report and a tree there'
find "$dir/$odd/-report %s.txt" "$dir/$odd/-tree" -perm /077 > "$dir/open"
none "$dir/open" 'which are as private'
done_testing
