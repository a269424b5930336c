#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A results file that cannot be used is an error before any guest is started, and stays as it is.
. tests/system/lib.sh
build_image

plan results 'guest: {ram_mib: 96}' 'method: threshold'

# refused FILE PATTERN TEXT [AS]: a run into that file fails, and says why
refused() {
	timeout $hangs_s ${4:-} "$swapcal" run "$dir/plan.yaml" -o "$1" > "$dir/out" 2> "$dir/err"
	is $? 1 "$3"
	has "$dir/err" "$2" 'and says why'
	is "$(guests results-$$)" 0 'no guest was started'
}

refused "$dir/none/x.swapcal" "cannot create results file '$dir/none/x.swapcal': No such file" 'a directory that is not there'
refused "$dir" "'$dir' is not a swapcal results file but a directory" 'a directory'
refused /proc/version-x 'cannot create results file' 'a place where nobody can write'

echo 'text of mine' > "$dir/text"
cp "$dir/text" "$dir/text.before"
refused "$dir/text" "'$dir/text'" 'a file that is none of ours'
cmp -s "$dir/text" "$dir/text.before"
ok $? 'which stays as it is'

# A file of ours: that of a run which was stopped before its first guest.
make_file() {
	rm -f "$dir/r.swapcal"*
	"$swapcal" run "$dir/plan.yaml" -o "$dir/r.swapcal" > "$dir/out" 2> "$dir/err" &
	pid=$!
	until { [ -s "$dir/r.swapcal-lock" ] && [ -s "$dir/r.swapcal" ]; } || has_ended $pid; do sleep 0.02; done
	kill -STOP $pid
}

make_file
timeout $hangs_s "$swapcal" run "$dir/plan.yaml" -o "$dir/r.swapcal" 2> "$dir/second"
is $? 1 'a file that another run has open'
has "$dir/second" "'$dir/r.swapcal' is in use by another run \(pid $pid\)" 'is in use by that process'
kill -CONT $pid
kill -INT $pid
wait $pid
is $? 130 'which goes on, to be stopped'
"$swapcal" status "$dir/r.swapcal" > "$dir/out" 2>&1
is $? 0 'and leaves a file that can be read'

cp "$dir/r.swapcal" "$dir/old.swapcal"
sqlite3 "$dir/old.swapcal" "PRAGMA user_version = 999"
cp "$dir/old.swapcal" "$dir/old.before"
refused "$dir/old.swapcal" '(schema|version|newer)' 'a file of another schema'
cmp -s "$dir/old.swapcal" "$dir/old.before"
ok $? 'which stays as it is'

size=$(stat -c %s "$dir/r.swapcal")
head -c $((size / 2)) "$dir/r.swapcal" > "$dir/half.swapcal"
refused "$dir/half.swapcal" "'$dir/half.swapcal'.*(damaged|malformed|not a swapcal)" 'a file of which half is missing'

# Root may write what is read-only.
chmod 755 "$dir"
mkdir "$dir/ro"
cp "$dir/r.swapcal" "$dir/ro/"
chmod 444 "$dir/ro/r.swapcal"
if [ "$(id -u)" -eq 0 ]; then
	mount -t tmpfs -o size=4m none "$dir/ro" 2> /dev/null && {
		cp "$dir/r.swapcal" "$dir/ro/"
		mount -o remount,ro "$dir/ro"
	}
	trap 'umount "$dir/ro" 2> /dev/null; rm -rf "$dir"' EXIT
else
	chmod 555 "$dir/ro"
fi
refused "$dir/ro/r.swapcal" "$dir/ro/r.swapcal.*(Read-only|Permission|cannot)" 'a file that is read-only'
"$swapcal" status "$dir/ro/r.swapcal" > "$dir/out" 2>&1
is $? 0 'it can be looked at all the same'
done_testing
