#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# With an instruction-counted clock two lives of one guest are the same to the page.
. tests/system/lib.sh
build_image

cat > "$dir/plan.yaml" << END
name: icount
image: bookworm
guest: {ram_mib: 160}
method: threshold
determinism: icount
END

# ramp FILE: the first probe of the plan, a ramp, then stop
ramp() {
	"$swapcal" run "$dir/plan.yaml" --accel tcg -o "$dir/$1" 2> "$dir/err" &
	pid=$!
	until [ "$(sqlite3 "$dir/$1" 'select count(*) from probe' 2> /dev/null || echo 0)" -ge 1 ] || ! kill -0 $pid 2> /dev/null; do
		sleep 0.5
	done
	kill -TERM $pid 2> /dev/null
	wait $pid
	sed 's/^/# /' "$dir/err" >&2
	sqlite3 "$dir/$1" 'select outcome, load_pages from probe order by id limit 1'
}

first=$(ramp a)
second=$(ramp b)
echo "# $first"
within "$(echo "$first" | cut -d'|' -f2)" 10000 40960 'the ramp of an icount guest reaches its onset'
is "$second" "$first" 'the onset page is the same in both lives'
done_testing
