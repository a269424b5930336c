#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The other compiler takes everything, warnings as errors; what it made, under AddressSanitizer and UBSan, passes unit tests and simulations;
# and the fuzz targets take the inputs they start from. One build is for all three. What gcc and its fortified headers complain about ends
# `make` and `make unit-tests`. What runs in a guest is only run here as far as unit tests link it. Left out is the comparison of designs,
# which takes long and runs little code that others do not. Fuzzing itself: `make fuzz`.
. tests/compile/lib.sh

# The leak checker needs ptrace, which containers may forbid.
cat > "$dir/leak.c" << 'LEAK'
#include <stdlib.h>
int main(void) { for (int i = 0; i < 100; i++) { volatile char *p = malloc(100); p[0] = 1; } return 0; }
LEAK
succeeds 'the compiler has sanitizers' clang -fsanitize=address,undefined -o "$dir/leak" "$dir/leak.c" || done_testing
leaks=1
"$dir/leak" > "$dir/leak.out" 2>&1
grep -q 'detected memory leaks' "$dir/leak.out" || leaks=0
[ $leaks -eq 1 ] || echo '# leaks cannot be checked here'

quietly() {
	"$@" > /dev/null
}

succeeds 'clang compiles the programs of the guest' quietly make B=build/clang MUSL_CC=clang build/clang/guest/agent/agent \
	build/clang/guest/loads/ballast build/clang/guest/loads/known
succeeds 'and everything else, with sanitizers' quietly make -j"$(nproc)" checked-programs || done_testing

# What was freed is not reused for the next 16 MiB instead of 256: to touch ever new memory takes a tenth of the time.
ASAN_OPTIONS=detect_leaks=$leaks:abort_on_error=0:quarantine_size_mb=16 UBSAN_OPTIONS=print_stacktrace=1 prove --jobs "$(nproc)" --exec "timeout $hangs_s" \
	$(ls build/checked/tests/sim/*.t build/checked/tests/unit/*/*.t | grep -v sim/designs) > "$dir/prove" 2>&1
passed=$?
ok $passed 'every unit test and simulation passes'
[ $passed -eq 0 ] || tail -n 100 "$dir/prove" | sed 's/^/# /'

for source in tests/fuzz/*.c; do
	target=$(basename "$source" .c)
	tests/fuzz/seeds.sh "$target" "$dir/$target"
	seeds=$(ls "$dir/$target" | wc -l)
	[ "$seeds" -gt 0 ]
	ok $? "$target has inputs to start from: $seeds"
	succeeds "$target takes them" "build/checked/tests/fuzz/$target" -runs=0 -timeout=$hangs_s "$dir/$target"
done
done_testing
