#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What a probe costs beside the bare QEMU it runs: the same kernel, initramfs, disks and ballast, started by the command line that swapcal
# recorded, without libvirt, agent and evidence. Runs of both alternate, since a shared machine's speed drifts.
# Usage: probe.sh [ROUNDS]
set -eu
rounds=${1:-5}
B=${B:-build}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
./swapcal image build bookworm >&2

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

i=0
while [ "$i" -lt "$rounds" ]; do
	i=$((i + 1))
	"$B/tests/bench/ramp" "$dir" > "$dir/phases.one"
	cat "$dir/phases.one" >> "$dir/phases"
	bare >> "$dir/bare"
	echo "round $i of $rounds: probe $(awk '{ for (f = 1; f <= NF; f++) s += $f; print s }' "$dir/phases.one") ms," \
		"bare QEMU $(tail -n 1 "$dir/bare") ms" >&2
done

# median: of the numbers on stdin
median() {
	sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

probe=$(awk '{ s = 0; for (f = 1; f <= NF; f++) s += $f; print s }' "$dir/phases" | median)
bare=$(median < "$dir/bare")
echo "ramp probe of a 256 MiB guest, medians of $rounds alternating runs"
echo "  probe      $probe ms"
echo "  bare QEMU  $bare ms"
echo "  ratio      $(echo "$probe $bare" | awk '{ printf "%.2f", $1 / $2 }')"
echo "where a probe's time goes:"
f=0
for phase in start boot prepare load settle evidence teardown; do
	f=$((f + 1))
	printf '  %-9s  %s ms\n' "$phase" "$(cut -f "$f" "$dir/phases" | median)"
done
