#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The fuzz targets build, and the inputs they start from do no harm. Fuzzing itself: `make fuzz`.
. tests/compile/lib.sh

if succeeds 'the fuzz targets are compiled' make -j"$(nproc)" fuzz-programs; then
	for source in tests/fuzz/*.c; do
		target=$(basename "$source" .c)
		tests/fuzz/seeds.sh "$target" "$dir/$target"
		seeds=$(ls "$dir/$target" | wc -l)
		[ "$seeds" -gt 0 ]
		ok $? "$target has inputs to start from: $seeds"
		succeeds "$target takes them" "build/fuzz/tests/fuzz/$target" -runs=0 -timeout=10 "$dir/$target"
	done
fi
done_testing
