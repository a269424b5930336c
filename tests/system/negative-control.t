#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A ballast of zeros must not pass for Z: the probe is invalid, the campaign says so and ends with status 5.
. tests/system/lib.sh
build_image

plan negative 'guest: {ram_mib: 96}' 'method: threshold' 'start: restore' 'ballast: {fill: zero}'
run "$dir/n.swapcal"
is $? 5 'a campaign whose probes are all invalid ends with status 5'
has "$dir/err" 'invalid: .* pages are zeros' 'and says why'
is "$(sqlite3 "$dir/n.swapcal" 'select distinct outcome from probe')" invalid 'every probe is invalid'
"$swapcal" status "$dir/n.swapcal" > "$dir/status"
has "$dir/status" 'pages are zeros' 'status tells the reason'
done_testing
