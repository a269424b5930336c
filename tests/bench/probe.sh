#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What a probe costs, by boot and by restore, beside the bare QEMU it runs: the same kernel, initramfs, disks and ballast, started by the
# command line that swapcal recorded, without libvirt, agent and evidence. Runs of the three alternate, since a shared machine's speed drifts.
# Usage: probe.sh [ROUNDS]
set -eu
rounds=${1:-3}
. tests/bench/lib.sh

# bare: one life of the recorded guest, its wall time in ms on stdout
bare() {
	mkdir -p "$dir/cpio"
	cp "$B/tests/bench/bare" "$dir/cpio/bare"
	(cd "$dir/cpio" && echo bare | cpio --quiet -o -H newc) > "$dir/extra"
	cat "$dir/initramfs" "$dir/extra" > "$dir/initrd"
	eval "set -- $(cat "$dir/command")"
	# Without what ties it to libvirt: stopped start, monitor, secret, passed descriptors, waiting after power-off.
	n=$#
	while [ "$n" -gt 0 ]; do
		a=$1
		shift
		n=$((n - 1))
		case $a in
		-S | -no-shutdown) continue ;;
		-mon | -add-fd) shift; n=$((n - 1)); continue ;;
		-object) case $1 in *'"secret"'*) shift; n=$((n - 1)); continue ;; esac ;;
		socket,id=charmonitor,*) a=null,id=charmonitor ;;
		socket,id=charchannel0,*) a=null,id=charchannel0 ;;
		file,id=charserial0,*) a=file,id=charserial0,path=$dir/console ;;
		console=*) a="$a rdinit=/bare" ;;
		*/files/initramfs-*) a=$dir/initrd ;;
		*/files/*.swap*) a=$(echo "$a" | sed "s|[^\"]*/files/[^\"]*\.swap|$dir/swap|") ;;
		esac
		set -- "$@" "$a"
	done
	begin=$(date +%s%N)
	timeout 120 "$@" 2> "$dir/qemu.err" || { cat "$dir/qemu.err" "$dir/console" >&2; exit 1; }
	echo $((($(date +%s%N) - begin) / 1000000))
}

# total FILE: the sum of the phases of each line
total() {
	cut -f 1-7 "$1" | awk '{ s = 0; for (f = 1; f <= NF; f++) s += $f; print s }'
}

for round in $(seq "$rounds"); do
	# The booted one last: of a restored guest the command line is not enough to start it.
	"$B/tests/bench/ramp" --restore "$dir" >> "$dir/restore"
	"$B/tests/bench/ramp" "$dir" >> "$dir/boot"
	bare >> "$dir/bare"
	echo "round $round of $rounds: boot $(total "$dir/boot" | tail -n 1) ms," \
		"restore $(total "$dir/restore" | tail -n 1) ms, bare QEMU $(tail -n 1 "$dir/bare") ms" >&2
done

boot=$(total "$dir/boot" | median)
restore=$(total "$dir/restore" | median)
bare=$(median < "$dir/bare")
echo "ramp probe of a 256 MiB guest, medians of $rounds alternating runs"
echo "  boot       $boot ms, $(ratio "$boot" "$bare") of bare QEMU"
echo "  restore    $restore ms, $(ratio "$restore" "$boot") of boot (and once for each kind of guest $(cut -f 8 "$dir/restore" | median) ms)"
echo "  bare QEMU  $bare ms"
echo "where its time goes, in ms:"
echo "  phase       boot  restore"
f=0
for phase in start boot prepare load settle evidence teardown; do
	f=$((f + 1))
	printf '  %-9s  %5s    %5s\n' "$phase" "$(cut -f "$f" "$dir/boot" | median)" "$(cut -f "$f" "$dir/restore" | median)"
done
