#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The scripts of contrib/slurm on a cluster of one node, made here with daemons of its own: a plan that is run as shards and
# merged gives the report of a plain run; what is lost or missing is told; the same command goes on.
. tests/system/lib.sh
build_image

# The path of a socket is short, and munge wants it to be reachable.
chmod 711 "$dir"
cluster=$dir/cluster
work="$dir/a user's 100% results"
export SLURM_CONF="$cluster/slurm.conf"

# start NAME COMMAND...: a daemon in the foreground, ended by stop
daemons=
start() {
	name=$1
	shift
	"$@" > "$cluster/$name.out" 2>&1 &
	daemons="$! $daemons"
}

# ended PID...: wait until none of these is there, at most half a minute
ended() {
	for _ in $(seq 60); do
		alive=
		for pid; do
			case $(cat "/proc/$pid/stat" 2> /dev/null) in '' | *') Z '*) ;; *) alive=$pid ;; esac
		done
		[ -z "$alive" ] && return
		sleep 0.5
	done
	kill -KILL "$@" 2> /dev/null
}

# Tasks first, which end their guests. They are told by us: a cluster that fails may not tell them.
stop() {
	trap '' INT TERM HUP
	timeout 20 scancel --user="$(id -un)" 2> /dev/null
	tasks=
	for pid in $(cat "$dir/tasks" 2> /dev/null); do
		[ "$(readlink "/proc/$pid/exe")" = "$swapcal" ] && tasks="$tasks $pid"
	done
	for list in "$tasks" "$daemons"; do
		[ -z "$list" ] && continue
		kill $list 2> /dev/null
		ended $list
	done
	rm -rf "$dir"
}
trap stop EXIT
trap 'exit 1' INT TERM HUP

# start_cluster: a node of two CPUs, one for each task, on ports that nobody has
start_cluster() {
	mkdir -p "$cluster/munge" "$cluster/state" "$cluster/spool"
	chmod 755 "$cluster" "$cluster/munge"
	(umask 077 && head -c 128 /dev/urandom > "$cluster/munge/key")
	start munged munged --foreground --socket="$cluster/munge/socket" --key-file="$cluster/munge/key" \
		--log-file="$cluster/munge/log" --pid-file="$cluster/munge/pid" --seed-file="$cluster/munge/seed"
	ports=$(python3 -c '
import socket
free = [socket.socket() for _ in range(2)]
for s in free:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in free])')
	cat > "$SLURM_CONF" << END
ClusterName=swapcal
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
SlurmctldPort=${ports% *}
SlurmdPort=${ports#* }
AuthType=auth/munge
AuthInfo=socket=$cluster/munge/socket
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=2
SlurmdParameters=config_overrides
MailProg=/bin/true
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=2
PartitionName=all Nodes=ALL Default=YES
END
	start slurmctld slurmctld -D -f "$SLURM_CONF"
	start slurmd slurmd -D -f "$SLURM_CONF"
	for _ in $(seq $hangs_s); do
		timeout 60 sinfo --noheader --format=%T 2> /dev/null | grep -qx idle && return
		sleep 0.5
	done
	for log in "$cluster"/*.out; do echo "# $log"; tail -n 5 "$log" | sed 's/^/# /'; done
	echo 'Bail out! no cluster'
	exit 1
}

# finish: both jobs of the last submission; sets state and status of the merge
finish() {
	job=$(sed -n 's/.*merge \([0-9]*\)$/\1/p' "$dir/submitted")
	state=
	status=
	for _ in $(seq $hangs_s); do
		timeout 60 scontrol --oneliner show job "$job" > "$dir/job" 2> /dev/null
		state=$(sed -n 's/.* JobState=\([A-Z_]*\) .*/\1/p' "$dir/job")
		case $state in COMPLETED | FAILED | CANCELLED | TIMEOUT | NODE_FAIL) break ;; esac
		sleep 1
	done
	status=$(sed -n 's/.* ExitCode=\([0-9]*\):.*/\1/p' "$dir/job")
}

mkdir "$work"
plan slurm 'guest: {ram_mib: 96}' 'method: [growth]' 'start: restore' 'replicates: 1' \
	'loads: [{workload: [strings, lists], interpreter: python3}]'
mv "$dir/plan.yaml" "$work/the plan.yaml"

# refused TEXT SCRIPT ARGUMENT...: its usage, without a cluster
refused() {
	text=$1
	script=$2
	shift 2
	"contrib/slurm/$script" "$@" > "$dir/out" 2> "$dir/err"
	is "$?:$(cat "$dir/out")" 2: "$text"
}

# What tasks run: swapcal, whose process is known here.
printf '#!/bin/sh\necho $$ >> "%s/tasks"\nexec "%s" "$@"\n' "$dir" "$swapcal" > "$work/swapcal here"
chmod +x "$work/swapcal here"
export SWAPCAL="$work/swapcal here"

refused 'no number of shards' submit.sh "$work/the plan.yaml" "$work/night.swapcal" 0
refused 'no plan' submit.sh "$work/night.swapcal"
refused 'no array' swapcal-array.sh "$work/the plan.yaml" "$work/night.swapcal"
refused 'no results' swapcal-merge.sh "$work/night.swapcal" 4
mkdir "$work/open.swapcal.shards"
touch "$work/open.swapcal" "$work/open.swapcal-wal" "$work/open.swapcal.shards/1-of-1.swapcal"
refused 'nor is a file replaced whose journal stays beside it' swapcal-merge.sh "$work/open.swapcal" 1
has "$dir/err" "a run of .* has died" 'and it is told why'
rm -r "$work"/open.swapcal*
start_cluster

# submit: from another directory, by relative names
submit() {
	(cd "$work" && timeout $hangs_s "$OLDPWD/contrib/slurm/submit.sh" 'the plan.yaml' night.swapcal 4) > "$dir/submitted" 2> "$dir/err"
}

# Four shards of three cells: the last has nothing to do. Two guests at a time at most.
submit
is "$?" 0 'a plan is submitted'
has "$dir/submitted" '^array [0-9]+, merge [0-9]+$' 'as two jobs'
finish
is "$state:$status" COMPLETED:0 'the merge job ends well'
for k in 1 2 3 4; do
	has "$work/night.swapcal.shards/$k-of-4.log" "shard $k/4 of the plan: $((k < 4)) of its 3 cells" "shard $k has its cells"
done
has "$work/night.swapcal.report" 'night.swapcal.new: 3 cells, [0-9]+ probes from 4 files' 'the merge tells what it has'
has "$work/night.swapcal.report" '^ *Agreement over all workloads' 'and prints the report'
is "$(guests slurm-$$)" 0 'no guest is left'
is "$(find "$work" -name '*-lock' -o -name '*-wal' -o -name '*.new' -o -name '*.status')" '' 'nor any other thing'

# The same command again: everything is answered already.
probes=$(sqlite3 "$work/night.swapcal" 'select count(*) from probe')
submit
finish
is "$state:$status" COMPLETED:0 'the same command again ends well'
is "$(sqlite3 "$work/night.swapcal" 'select count(*) from probe')" "$probes" 'asks nothing anew'
[ -e "$work/night.swapcal.~1~" ]
ok $? 'and keeps the former results'

# A node on which swapcal cannot run, for shards 2 and 3. Nothing is left of one, and no answer of the other.
cat > "$work/swapcal on bad node" << END
#!/bin/sh
case "\$*" in *'--shard 2/4'* | *'--shard 3/4'*) exit 3 ;; esac
exec "$SWAPCAL" "\$@"
END
chmod +x "$work/swapcal on bad node"
rm "$work/night.swapcal.shards/2-of-4.swapcal"
sqlite3 "$work/night.swapcal.shards/3-of-4.swapcal" 'delete from probe'
SWAPCAL="$work/swapcal on bad node" submit
finish
is "$state:$status" FAILED:5 'when a shard fails, the others are merged, and the exit status tells'
has "$work/night.swapcal.report" 'shards without results, of 4: 2$' 'as does the report'
has "$work/night.swapcal.report" '1 of 2 replicates are not answered, 0 of them lost' 'of what has no answer too'
is "$(sqlite3 "$work/night.swapcal" 'select count(*) from cell where is_current')" 2 'which has the other cells'

# A plain run of the same plan beside what was merged first.
"$swapcal" run "$work/the plan.yaml" -o "$dir/plain.swapcal" --jobs 2 2> "$dir/err"
is $? 0 'a plain run of the same plan'
"$swapcal" report "$dir/plain.swapcal" --format csv > "$dir/plain.csv"
"$swapcal" report "$work/night.swapcal.~1~" --format csv > "$dir/merged.csv"

# rows NAME: what says which rows there are, and their flags; but one that only tells of a busy host
rows() {
	cut -d, -f1-2,5-16,26- "$dir/$1.csv" | sed 's/"//g; s/swap-disk-disagrees,*//; s/,*$//' > "$dir/$1.rows"
}

rows plain
rows merged
cmp -s "$dir/plain.rows" "$dir/merged.rows"
ok $? "the report has the same $(wc -l < "$dir/plain.rows") rows: cells, settings, metrics, flags, in this order"
diff "$dir/plain.rows" "$dir/merged.rows" | head -n 20 | sed 's/^/# /'

# value NAME COLUMN METHOD WORKLOAD METRIC
value() {
	awk -F, -v column="$2" -v m="$3" -v w="$4" -v y="$5" '$10 == m && $11 == w && $16 == y { print $column }' "$dir/$1.csv"
}

# near COLUMN METHOD WORKLOAD METRIC TOLERANCE TEXT: the two runs differ by no more
near() {
	plain=$(value plain "$1" "$2" "$3" "$4")
	merged=$(value merged "$1" "$2" "$3" "$4")
	within "$(echo "$plain $merged" | awk 'NF == 2 { print $1 - $2 }')" "-$5" "$5" "$6: $plain, merged $merged"
}

# A search ends when Z* is known within half a MiB either way, so two of them may be a MiB apart.
near 20 threshold ballast rss 1 'the same Z*, in MiB'
# 5 % of Z*, the plan's margin: guests were seen to differ by up to 0.8 MiB.
for metric in rss pss memcg_current; do
	for workload in strings lists; do
		near 17 growth $workload $metric 1.7 "the same Y, in MiB: $metric of $workload"
	done
done
done_testing
