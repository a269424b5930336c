#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A campaign whose process is killed twenty times, at random moments, and started again each time, ends as its plan says: the cells of
# the plan, all replicates, no probe twice, no probe lost that was once committed, no guest left. What it cannot show is a loss of
# power: the kernel lives on. A plan of yours instead of the small one: sh tests/system/kill.t examples/first-light.yaml
. tests/system/lib.sh
build_image

jobs=2
kills=20
seed=${SWAPCAL_TEST_SEED:-$$}
echo "# seed $seed (SWAPCAL_TEST_SEED)"

small_plan kill 2

[ $# -eq 0 ] || sed "s/^name:.*/name: kill-$$/" "$1" > "$dir/plan.yaml"

# run FILE: runs or resumes the campaign
run() {
	"$swapcal" run "$dir/plan.yaml" -o "$1" --jobs $jobs
}

# committed FILE: a line for each committed probe, with what hangs on it. The file is copied, so that what a kill left is not mended here
committed() {
	rm -f "$dir"/copy*
	for suffix in '' -wal; do
		[ ! -e "$1$suffix" ] || cp "$1$suffix" "$dir/copy$suffix"
	done
	sqlite3 "$dir/copy" "SELECT p.id, p.cell_key, p.replicate, p.seq, p.kind, p.outcome, p.started_s, p.load_pages, hex(p.console), \
		(SELECT rows || ' ' || length(data) FROM series WHERE probe_id = p.id), \
		(SELECT count(*) || ' ' || total(len) FROM evidence JOIN snapshot s ON s.id = snapshot_id WHERE s.probe_id = p.id) \
		FROM probe p ORDER BY p.id" 2> "$dir/probes.err"
}

# ask FILE SQL
ask() {
	sqlite3 "$1" "$2"
}

# anew: a campaign that is done has nothing to kill
anew() {
	rm -f "$dir"/k.swapcal* "$dir/now"
	: > "$dir/before"
}

some_probes $((2 * jobs)) "$dir/first.swapcal" "$swapcal" run "$dir/plan.yaml" --jobs $jobs
# Seconds from start to kill: up to a fifth more than a probe takes here, and one for the start, so that kills come in all phases and some
# probes come to their end. The first probes take longer, for they make the boots that are restored.
soonest=0.5
latest=$(ask "$dir/first.swapcal" "SELECT 1 + 1.2 * avg(phase_start_ms + phase_boot_ms + phase_prepare_ms + phase_load_ms + phase_settle_ms + \
	phase_evidence_ms + phase_teardown_ms) / 1000 FROM probe WHERE id > $jobs")
echo "# kills come $soonest to $latest s after each start"

anew
lost=0
most=0
killed=0
finished=0
while [ $killed -lt $kills ]; do
	setsid "$swapcal" run "$dir/plan.yaml" -o "$dir/k.swapcal" --jobs $jobs 2>> "$dir/k.err" &
	pid=$!
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	after=$(awk -v r=$seed -v s=$soonest -v l=$latest 'BEGIN { printf "%.2f", s + r / 2147483648 * (l - s) }')
	sleep "$after"
	if ! kill -KILL $pid 2> /dev/null; then
		wait $pid || break
		anew
		continue
	fi
	wait $pid
	killed=$((killed + 1))
	left=$(guests kill-$$)
	[ "$left" -le "$most" ] || most=$left
	# One that was killed before it made its file.
	[ ! -s "$dir/k.swapcal" ] || committed "$dir/k.swapcal" > "$dir/now"
	[ -e "$dir/now" ] || : > "$dir/now"
	lost=$((lost + $(grep -cvxFf "$dir/now" "$dir/before")))
	cp "$dir/now" "$dir/before"
	[ ! -s "$dir/before" ] || finished=$(wc -l < "$dir/before")
	echo "# killed after $after s: $(wc -l < "$dir/now") probes committed, $left guests left"
	# A host that has become slower gets more time.
	[ $finished -gt 0 ] || latest=$(awk -v l="$latest" 'BEGIN { print 1.2 * l }')
	if [ -s "$dir/k.swapcal" ] && [ "$("$swapcal" status "$dir/k.swapcal" --format json | sed -n 's/.*"probes_left": \([0-9]*\).*/\1/p')" = 0 ]; then
		echo '# it was done'
		[ $killed -eq $kills ] || anew
	fi
done
is $killed $kills "it was killed so often"
within $finished 1 1000 'some probes came to their end between kills'
is $lost 0 'no committed probe was lost or changed'
within $most 1 $jobs 'a kill leaves no more guests than ran'

run "$dir/k.swapcal" 2> "$dir/k.err"
is $? 0 'at last it ends'
is "$(guests kill-$$)" 0 'no guest is left'
committed "$dir/k.swapcal" > "$dir/now"
is "$(grep -cvxFf "$dir/now" "$dir/before")" 0 'and all is there that was committed before'
is "$(ask "$dir/k.swapcal" 'PRAGMA integrity_check')" ok 'the file is sound'
is "$(ls "$dir" | grep -c '^k.swapcal-')" 0 'and it is one file'
is "$(ls -d /var/tmp/swapcal-"$(id -u)"/*/files/swapcal-kill-$$-* 2> /dev/null | wc -l)" 0 'nothing is left in the work directory'

accel=$(ask "$dir/k.swapcal" "SELECT DISTINCT identity ->> 'accel' FROM cell")
"$swapcal" run "$dir/plan.yaml" -n --accel "$accel" > "$dir/plan.out" 2>&1
sed -n 's/^\([0-9a-f]\{12\}\) .*/\1/p' "$dir/plan.out" > "$dir/cells.want"
ask "$dir/k.swapcal" 'SELECT substr(key, 1, 12) FROM cell WHERE is_current' > "$dir/cells.got"
same "$dir/cells.got" "$dir/cells.want" 'the cells are those of the plan'
"$swapcal" status "$dir/k.swapcal" --format json > "$dir/status"
is "$(jq -c '[.total - .not_applicable - .done, .failed, .probes_left, .cells - .cells_done]' "$dir/status")" '[0,0,0,0]' 'all of them have their answers'
# As many answers as a replicate needs: one of growth; of a search one ramp, and no more than a search takes.
# asked METHOD KIND OUTCOMES TEXT: each replicate of the method has one such answer
asked() {
	is "$(ask "$dir/k.swapcal" "SELECT count(*) FROM probe JOIN cell ON cell.key = cell_key WHERE identity ->> 'method' = '$1' AND kind = '$2' AND outcome IN ($3)")" \
		"$(ask "$dir/k.swapcal" "SELECT sum(replicates) FROM cell WHERE is_current AND identity ->> 'method' = '$1'")" "$4"
}
asked growth growth "'onset', 'no-onset'" 'each replicate of growth was asked once'
asked threshold ramp "'onset'" 'and each search has one ramp'
is "$(ask "$dir/k.swapcal" 'SELECT count(*) FROM probe GROUP BY cell_key, replicate, seq HAVING count(*) > 1')" '' 'no question stands twice'
"$swapcal" report "$dir/k.swapcal" > "$dir/report" 2>&1
is $? 0 'and there is a report'
done_testing
