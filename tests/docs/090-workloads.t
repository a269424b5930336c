#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# swapcal-plan(5) has the workloads and the interpreters that come with swapcal, and the options and keys of both.
. tests/docs/lib.sh

ls guest/workloads | sed -n '/^swapcal_/d; s/\.\(py\|lua\)$//p' > "$dir/files"
pod_items swapcal-plan.5.pod WORKLOADS | grep '^[a-z][a-z_]*$' > "$dir/man"
same "$dir/man" "$dir/files" 'swapcal-plan(5) has every workload'

sed -n 's/^\([a-z0-9.-]*\):$/\1/p' guest/interpreters.yaml > "$dir/names"
pod_items swapcal-plan.5.pod INTERPRETERS > "$dir/man"
same "$dir/man" "$dir/names" 'swapcal-plan(5) has every interpreter'

# The example is a workload.
pod_section swapcal-plan.5.pod 'Your own in Python' | sed -n 's/^ //p' > "$dir/sets.py"
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=guest/workloads SWAPCAL_CHECKPOINT_FD=1 \
	python3 "$dir/sets.py" --mode hold --size-kib 64 --rounds 2 2>&1 | tail -n 1 | cut -d' ' -f-2 > "$dir/out"
is "$(cat "$dir/out")" 'checkpoint round-2' 'its example of a workload runs'
done_testing
