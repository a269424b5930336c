#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A run that is told to stop, loses its terminal, or runs out of time: guests gone, finished probes kept, and another process can watch.
. tests/system/lib.sh
build_image

plan alone 'guest: {ram_mib: [80, 88]}' 'method: [growth]' 'start: restore' 'loads: [{workload: strings, interpreter: [python3]}]'

# begin COMMAND...: a run in the background, its stderr in $dir/err, until its guest number 2 is there; $pid is its process
begin() {
	rm -f "$dir/r.swapcal"*
	"$@" "$swapcal" run "$dir/plan.yaml" -o "$dir/r.swapcal" 2> "$dir/err" &
	pid=$!
	wait_for_second
}

wait_for_second() {
	until grep -q 'of about' "$dir/err" || ! kill -0 $pid 2> /dev/null; do sleep 0.2; done
	until [ "$(guests alone-$$)" -ge 1 ] || ! kill -0 $pid 2> /dev/null; do sleep 0.1; done
}

shows_guest() {
	"$swapcal" status "$dir/r.swapcal" --format json > "$dir/status" && [ "$(jq '.guests | length' "$dir/status")" = 1 ]
}

begin env
wait_until $hangs_s shows_guest
is "$(jq -r '"\(.run_status) \(.running) \(.guests | length) \(.done + .failed <= .total)"' "$dir/status")" 'running 1 1 true' \
	'a run tells another process of its guest'
is "$(jq -r '(.eta_s | type) + " " + (.guests[0].phase | type) + " \(.pid)"' "$dir/status")" "number string $pid" \
	'its phase, and how long all will take'
kill -INT $pid
wait $pid
is $? 130 'SIGINT ends a run'
is "$(probes "$dir/r.swapcal")" 2 'once the probe under way is finished'
is "$(guests alone-$$)" 0 'no guest is left'
has "$dir/err" 'finishing' 'and it says what it does'
is "$("$swapcal" status "$dir/r.swapcal" --format json | jq -r '"\(.run_status) \(.running)"')" 'interrupted 0' 'the file says so too'
is "$(ls "$dir"/r.swapcal*)" "$dir/r.swapcal" 'nothing is left beside it'

begin env
sleep 1
kill -INT $pid
sleep 0.3
kill -INT $pid
wait $pid
is $? 130 'SIGINT twice ends a run'
is "$(probes "$dir/r.swapcal")" 1 'at once'
is "$(guests alone-$$)" 0 'with its guest'

# A terminal of its own, which goes away.
rm -f "$dir/r.swapcal"*
cat > "$dir/terminal.py" << 'END'
import os, pty, select, sys, time
pid, master = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
print(pid, flush=True)
seen = b''
with open(sys.argv[1], 'wb', buffering=0) as log:
    while seen.count(b'of about') == 0 or b'] X=' not in seen.split(b'ETA')[-1] and b'boot' not in seen[-300:]:
        if select.select([master], [], [], 1200)[0]:
            piece = os.read(master, 4096)
            seen += piece
            log.write(piece)
time.sleep(1)
os.close(master)
_, status = os.waitpid(pid, 0)
print(os.waitstatus_to_exitcode(status))
END
timeout $hangs_s python3 "$dir/terminal.py" "$dir/screen" "$swapcal" run "$dir/plan.yaml" -o "$dir/r.swapcal" > "$dir/out"
is "$(tail -n 1 "$dir/out")" 130 'a run whose terminal goes away ends'
within "$(probes "$dir/r.swapcal")" 1 3 'and keeps what is finished, the probe under way too'
is "$(sqlite3 "$dir/r.swapcal" 'select status from run')" interrupted 'as one that was asked to'
is "$(guests alone-$$)" 0 'no guest is left behind'
has "$dir/screen" 'ETA.*\| X=' 'the terminal showed what ran'

# Time for one to three probes here: a busy host gets more.
limit=4
rm -f "$dir/r.swapcal"*
until [ "$(probes "$dir/r.swapcal")" -ge 1 ] || [ $limit -gt $hangs_s ]; do
	limit=$((2 * limit))
	rm -f "$dir/r.swapcal"*
	timeout $((2 * hangs_s)) "$swapcal" run "$dir/plan.yaml" -o "$dir/r.swapcal" --time-limit ${limit}s 2> "$dir/err"
	status=$?
done
is $status 5 'a run that runs out of time'
has "$dir/err" 'left for lack of time; the same command goes on' 'says so'
within "$(probes "$dir/r.swapcal")" 1 3 'and keeps what is finished'
is "$(guests alone-$$)" 0 'no guest is left behind then either'
is "$("$swapcal" status "$dir/r.swapcal" --format json | jq -r .run_status)" 'out of time' 'the file tells why it ended'

"$swapcal" status "$dir/r.swapcal" --follow > "$dir/out"
is $? 0 'to follow a run that has ended ends at once'
sed -i 's/\[80, 88\]/[80]/' "$dir/plan.yaml"
before=$(probes "$dir/r.swapcal")
"$swapcal" run "$dir/plan.yaml" -o "$dir/r.swapcal" 2> "$dir/err" &
pid=$!
until "$swapcal" status "$dir/r.swapcal" | grep -q 'running (pid' || ! kill -0 $pid 2> /dev/null; do sleep 0.2; done
"$swapcal" status "$dir/r.swapcal" --follow --format json > "$dir/lines"
wait $pid
is $? 0 'a smaller plan goes on with the same file'
has "$dir/err" 'resuming: 2 of the plan' 'and says what it found'
has "$dir/err" '2 cell.*not in the plan any more' 'and what is out of it'
within "$(jq -r .done < "$dir/lines" | wc -l)" 3 99 'who follows hears of each probe'
is "$(jq -r '"\(.run_status) \(.done) \(.total)"' < "$dir/lines" | tail -n 1)" 'done 2 2' 'until the end'
within "$(probes "$dir/r.swapcal")" $((before + 1)) 99 'what was there stays in the file'
done_testing
