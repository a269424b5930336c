#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The evidence of a frozen ballast at its onset: its page runs and its smaps are two accounts of the same pages.
. tests/system/lib.sh
build_image

"${B:-build}/tests/system/page-runs" > "$dir/pages" 2> "$dir/err"
is $? 0 'a ballast swaps and its evidence arrives'
sed 's/^/# /' "$dir/err" "$dir/pages"

# number KEY
number() {
	awk -v key="$1" '$1 == key { print $2 }' "$dir/pages"
}

within "$(number mappings)" 4 100 'the ballast has mappings'
is "$(number differing)" 0 'each has as many pages in RAM and in swap by its runs as by smaps'
within "$(number rss_kib)" 50000 160000 'most of the guest is in RAM'
within "$(number swap_kib)" 128 100000 'and at least the 32 pages of the onset in swap'
is "$(number spare_bytes)" 0 'runs are whole'
# A page each would be no better than the pagemap itself.
within "$(number runs)" 2 "$(($(number rss_kib) / 8))" 'runs are fewer than half the pages'
is "$(number agent_is_last)" 1 'what the snapshot cost comes last'
within "$(number evidence_us)" 1 30000000 'the time that took is told'
within "$(number frozen_us)" "$(number evidence_us)" 60000000 'and the load stood still for longer'
within "$(number agent_rss_kib)" 1 420 'the agent stays below 420 KiB'
done_testing
