#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# smem, psutil and time, on the same live processes, say the same.
. tests/measure/lib.sh

# An interpreter of our own, with copies of its libraries: PSS and USS would change with every other process that maps the
# same files, and two of the three tools are Python programs themselves.
mkdir "$dir/lib"
cp "$(readlink -f $python)" "$dir/python"
ldd $python | grep -o '/[^ ]*' | while read -r lib; do cp "$lib" "$dir/lib"; done
# own ARGUMENT...: in place of this shell
own() {
	exec env LC_ALL=C PYTHONHOME=/usr "$dir"/lib/ld-linux-*.so.* --library-path "$dir/lib" "$dir/python" -S -s "$@"
}

# A parent and the child it forked, which share 30 MiB; 10 MiB more are the child's own. Both sleep.
cat > "$dir/pair.py" <<'END'
import os, sys, time
shared = bytearray(os.urandom(1 << 20) * 30)
child = os.fork()
if child == 0:
	own = bytearray(os.urandom(1 << 20) * 10)
	with open(sys.argv[1] + ".new", "w") as f:
		f.write("%d %d\n" % (os.getppid(), os.getpid()))
	os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(3600)
END
own "$dir/pair.py" "$dir/pids" &
parent=$!
wait_for "$dir/pids"
read -r _ child < "$dir/pids"
wait_asleep $parent
wait_asleep "$child"

# Metrics of the sum over mappings, and of the process as a whole, which rounds once.
own_metrics
for name in rss pss uss; do
	case $name in
	uss) sum='private_clean_kib + private_dirty_kib' ;;
	*) sum=${name}_kib ;;
	esac
	for view in mapping process; do
		metric ${name}_$view "SELECT snapshot_id, sum($sum) AS y_kib FROM $view GROUP BY snapshot_id"
	done
done
measure --pid $parent --duration 1
is "$?:$(cat "$dir/err")" 0: 'a sleeping pair is measured'
for metric in rss_mapping pss_mapping uss_mapping rss_process pss_process uss_process; do
	is "$(column $metric 2)" "$(column $metric 3)" "$metric: its maximum is its average"
done

# Both add up the smaps of each process, and round where the kernel does: the same number.
/usr/bin/smem -H -c 'pid rss pss uss' > "$dir/smem"
smem_sum() {
	awk -v a=$parent -v b="$child" -v n="$1" '$1 == a || $1 == b { sum += $n } END { printf "%.1f", sum }' "$dir/smem"
}
is "$(column rss_mapping 2)" "$(smem_sum 2)" 'RSS: smem says the same'
is "$(column pss_mapping 2)" "$(smem_sum 3)" 'PSS: smem says the same'
is "$(column uss_mapping 2)" "$(smem_sum 4)" 'USS: smem says the same'

# psutil reads smaps_rollup, as we do for the view process; its RSS is the one of statm, which the kernel counts by CPU
# and adds up in batches, of 64 pages for each CPU at most.
$python - $parent "$child" > "$dir/psutil" <<'END'
import psutil, sys
infos = [psutil.Process(int(pid)).memory_full_info() for pid in sys.argv[1:]]
print(*["%.1f" % (sum(getattr(i, name) for i in infos) / 1024) for name in ("rss", "pss", "uss")])
END
read -r rss pss uss < "$dir/psutil"
is "$(column pss_process 2)" "$pss" 'PSS: psutil says the same'
is "$(column uss_process 2)" "$uss" 'USS: psutil says the same'
slack=$((2 * 64 * 4 * $(getconf _NPROCESSORS_CONF)))
within "$(column rss_process 2)" "$(calc "$rss - $slack")" "$(calc "$rss + $slack")" 'RSS: psutil says about the same'

# The sum over mappings loses up to 1 KiB where each is rounded down.
mappings=$(cat "/proc/$parent/maps" "/proc/$child/maps" | wc -l)
within "$(column pss_mapping 2)" "$(calc "$(column pss_process 2) - $mappings")" "$(column pss_process 2)" \
	'PSS: rounded once a mapping is at most 1 KiB a mapping less'

# The sharing itself: 30 MiB twice in RSS, once in PSS, not in USS, which has 10 MiB of the child's and what both
# interpreters have changed since.
within "$(calc "$(column rss_process 2) - $(column pss_process 2)")" 30720 60000 'shared pages are in RSS twice, in PSS once'
within "$(column uss_process 2)" 10240 25000 'and not in USS'
kill $parent "$child"

# Maximum RSS of a process that holds what it has. Two lives of the same program differ by a few pages, for addresses are
# random; ru_maxrss is counted in batches, of 64 pages for each CPU at most, and may miss the last ones.
cat > "$dir/hold.py" <<'END'
import os, time
x = bytearray(50 << 20)
time.sleep(0.5)
os._exit(0)
END
/usr/bin/time -f %M -o "$dir/time" $python -I -S "$dir/hold.py"
measure -- $python -I -S "$dir/hold.py"
max=$(cat "$dir/time")
echo "# time: $max KiB, rss: $(column rss_mapping 2) KiB"
slack=$((64 * 4 * $(getconf _NPROCESSORS_CONF) + 64))
within "$(column rss_mapping 2)" $((max - slack)) $((max + slack)) 'maximum RSS: time says about the same'
done_testing
