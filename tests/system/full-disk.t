#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# No room on the host: below the results file it is an error that costs the probe under way, below a guest's swap it is that guest's end,
# with the reason. Small file systems are mounted where only this test sees them.
. tests/system/lib.sh
tool=$PWD/build/tests/system/probe-command
if [ "${1:-}" != mounted ]; then
	if ! unshare --mount true 2> /dev/null; then
		echo '1..0 # SKIP needs the right to mount'
		exit 0
	fi
	build_image
	unshare --mount --propagation private sh "$0" mounted
	exit
fi

small_plan full
mkdir "$dir/small"
mount -t tmpfs -o size=300k none "$dir/small"
trap 'umount "$dir/small"; rm -rf "$dir"' EXIT
file=$dir/small/f.swapcal
ids='SELECT id, cell_key, outcome, started_s, length(console) FROM probe ORDER BY id'

run "$file"
is $? 1 'a results file that finds no room ends the run'
sed 's/^/# /' "$dir/err"
has "$dir/err" "$file.*(full|space)" 'with an error that says so'
is "$(guests full-$$)" 0 'and no guest is left'
mount -o remount,size=64m "$dir/small"
cp "$file" "$dir/copy"
[ ! -e "$file-wal" ] || cp "$file-wal" "$dir/copy-wal"
sqlite3 "$dir/copy" "$ids" > "$dir/before"
is "$(sqlite3 "$dir/copy" 'PRAGMA integrity_check')" ok 'the file is sound'
within "$(wc -l < "$dir/before")" 1 15 'with what was committed'
run "$file"
is $? 0 'where there is room again the same command goes on to the end'
sqlite3 "$file" "$ids" > "$dir/after"
is "$(head -n "$(wc -l < "$dir/before")" "$dir/after")" "$(cat "$dir/before")" 'and what was there stays as it was'

# The guest's files are in a work directory of its own, which has room for all but what the guest writes to its swap disk: some 20 MiB.
image=$(dirname "$("$swapcal" image show bookworm | grep -oE '/[^ "]*bookworm-[0-9a-f]*' | head -n 1)/x")
room=$(($(du -m "$image/root.qcow2" | cut -f1) + $(du -m "$image/vmlinuz" | cut -f1) + 30))
mount -t tmpfs -o size=${room}m,mode=1777 none /var/tmp
"$tool" --root 160 /usr/bin/python3 -c '
import ctypes, os
# As long as a disk is in use for swap nobody may write to it.
ctypes.CDLL(None).swapoff(b"/proc/1/root/dev/vdb")
disk = os.open("/proc/1/root/dev/vdb", os.O_WRONLY)
os.lseek(disk, 32 << 20, os.SEEK_SET)
for i in range(80):
    os.write(disk, os.urandom(1 << 20))
    os.fsync(disk)
print("all was written")' > "$dir/out" 2>&1
sed 's/^/# /' "$dir/out"
has "$dir/out" '^agent-lost: guest was paused by the hypervisor, .*below its swap is full' 'a swap disk that finds no room ends its guest'
within "$(took "$dir/out")" 1 $hangs_s 'soon'
umount /var/tmp
done_testing
