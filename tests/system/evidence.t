#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The evidence of a frozen ballast at its onset: its page runs and its smaps are two accounts of the same pages.
. tests/system/lib.sh
build_image

"${B:-build}/tests/system/page-runs" > "$dir/pages" 2> "$dir/err"
is $? 0 'a ballast swaps and its evidence arrives'
sed 's/^/# /' "$dir/err" "$dir/pages"

within "$(number "$dir/pages" mappings)" 4 100 'the ballast has mappings'
is "$(number "$dir/pages" differing)" 0 'each has as many pages in RAM and in swap by its runs as by smaps'
within "$(number "$dir/pages" rss_kib)" 50000 160000 'most of the guest is in RAM'
within "$(number "$dir/pages" swap_kib)" 128 100000 'and at least the 32 pages of the onset in swap'
is "$(number "$dir/pages" spare_bytes)" 0 'runs are whole'
# A page each would be no better than the pagemap itself.
within "$(number "$dir/pages" runs)" 2 "$(($(number "$dir/pages" rss_kib) / 8))" 'runs are fewer than half the pages'
is "$(number "$dir/pages" agent_is_last)" 1 'what the snapshot cost comes last'
within "$(number "$dir/pages" evidence_us)" 1 $((hangs_s * 1000000)) 'the time that took is told'
within "$(number "$dir/pages" frozen_us)" "$(number "$dir/pages" evidence_us)" $((hangs_s * 1000000)) 'and the load stood still for longer'
within "$(number "$dir/pages" agent_rss_kib)" 1 420 'the agent stays below 420 KiB'
done_testing
