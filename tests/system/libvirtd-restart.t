#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A libvirtd that is killed, or ended in order, and started again in the middle of a campaign costs at most the probe under way.
. tests/system/lib.sh
. tests/system/libvirtd.sh
build_image
libvirtd_start_or_skip

small_plan restart
sed -i /^start:/d "$dir/plan.yaml"

in_libvirtd "$swapcal" run "$dir/plan.yaml" -c qemu:///system -o "$dir/r.swapcal" 2> "$dir/err" &
run=$!
wanted=1
for signal in KILL TERM; do
	wait_until $hangs_s has_probes "$dir/r.swapcal" $wanted $run
	ok $? 'guests live under qemu:///system'
	# Into the next guest's life.
	sleep 2
	libvirtd_kill $signal
	sleep 1
	libvirtd_continue
	ok $? "libvirtd, ended by SIG$signal, is started again"
	wanted=$((wanted + 2))
done
wait $run
status=$?
sed 's/^/# /' "$dir/err"
# A replicate that both restarts have hit is lost.
[ $status -eq 0 ] || [ $status -eq 5 ]
ok $? 'the campaign comes to its end'
is "$(grep -c "connection 'qemu:///system' is open again" "$dir/err")" 2 'and says that it has connected again'
sqlite3 "$dir/r.swapcal" "SELECT outcome, reason FROM probe WHERE outcome NOT IN ('onset', 'no-onset')" > "$dir/lost"
sed 's/^/# /' "$dir/lost"
within "$(wc -l < "$dir/lost")" 0 2 'each restart has cost no more than one probe'
in_libvirtd "$swapcal" run "$dir/plan.yaml" -c qemu:///system -o "$dir/r.swapcal" --retry-failed 2> "$dir/err"
is $? 0 'and what was lost is answered when it is asked again'
is "$(guests restart-$$)" 0 'no guest is left'
libvirtd_stop
done_testing
