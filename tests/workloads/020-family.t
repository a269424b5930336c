#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A forked family is one load: it forks after its set-up, works in step, grows by `fork`, and ends as one.
. tests/workloads/lib.sh

# family NAME MODE OPTION... : options of control(), for a load of three processes
family() {
	name=$1 mode=$2
	shift 2
	control "$@" -- "$python_" "$(script "$name")" --mode "$mode" --size-kib 256 --step-kib 16 --processes 3 --rounds 2
}

# all_idle TEXT: nobody worked at any checkpoint
all_idle() {
	grep -c 'idle=no' "$dir/out" > "$dir/busy"
	is "$(cat "$dir/busy")" 0 "$1"
}

for python_ in $(pythons); do
	family dicts hold > "$dir/out"
	is "$(names < "$dir/out")" \
		'build-1 build-2 build-3 build-4 build-5 build-6 build-7 build-8 full round-1 round-2 exit=0' \
		"$python_: one line for the family at each checkpoint"
	is "$(of processes 'build-[1-5]')" '1 1 1 1 3' "$python_: it forks when half is built"
	all_idle "$python_: all wait while a checkpoint is not answered"

	family dicts hold --answer build-2=fork --answer full=fork --answer full=fork --answer round-1=fork > "$dir/out"
	is "$(names < "$dir/out")" "build-1 build-2 build-2 build-3 build-4 build-5 build-6 build-7 build-8 \
full full full round-1 round-1 round-2 exit=0" "$python_: after 'fork' the same checkpoint is reported again"
	is "$(of processes build-5) $(of processes full) $(of processes 'round-.')" '4 4 5 6 6 7 7' \
		"$python_: with one process more; before the fork, one more is forked"
	all_idle "$python_: and all wait for it"
done

python_=$python
family strings grow --answer step-1=fork > "$dir/out"
is "$(names < "$dir/out"):$(of processes 'step-.')" 'step-1 step-1 step-2 exit=0:3 4 4' 'mode grow forks after its set-up'
family bare hold --answer full=fork > "$dir/out"
is "$(of processes build-4) $(of processes full)" '1 3 4' 'the bare interpreter forks without modules'
control --answer full=well -- $python "$(script dicts)" --mode hold --size-kib 64 --rounds 1 > "$dir/out"
is "$(tail -n 2 "$dir/out" | names)" 'round-1 exit=0' 'any other answer is to go on'

family dicts hold --kill full=2 > "$dir/out"
is "$(tail -n 1 "$dir/out")" "exit=1 left=0" "a child that dies ends its family, also while all wait"
grep -q '^process [0-9]* of the family ended: signal 9$' "$dir/err"
ok $? 'and is named'
for name in dicts bare; do
	family $name hold --kill full=0 > "$dir/out"
	is "$(tail -n 1 "$dir/out")" 'exit=-9 left=0' "$name: children end with their parent"
	family $name hold --leave full > "$dir/out"
	is "$(tail -n 1 "$dir/out"):$(cat "$dir/err")" "exit=1 left=0:nobody is left to answer checkpoint 'full'" \
		"$name: all end when nobody is left to answer"
done
done_testing
