#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Unit tests and simulations under AddressSanitizer and UBSan. What runs in a guest is only covered as far as unit tests
# link it. Left out is the comparison of designs, which takes long and runs little code that others do not.
. tests/compile/lib.sh

sanitize='-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all'

# The leak checker needs ptrace, which containers may forbid.
cat > "$dir/leak.c" << 'END'
#include <stdlib.h>
int main(void) { for (int i = 0; i < 100; i++) { volatile char *p = malloc(100); p[0] = 1; } return 0; }
END
if ! succeeds 'the compiler has sanitizers' gcc $sanitize -o "$dir/leak" "$dir/leak.c"; then
	done_testing
fi
leaks=1
"$dir/leak" > "$dir/leak.out" 2>&1
grep -q 'detected memory leaks' "$dir/leak.out" || leaks=0
[ $leaks -eq 1 ] || echo '# leaks cannot be checked here'

if succeeds 'everything is compiled' everything compile-sanitizers CC=gcc CFLAGS="$sanitize"; then
	ASAN_OPTIONS=detect_leaks=$leaks:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 \
		prove --exec "timeout $hangs_s" $(ls build/compile-sanitizers/tests/sim/*.t build/compile-sanitizers/tests/unit/*/*.t | grep -v sim/designs) > "$dir/prove" 2>&1
	passed=$?
	ok $passed 'every unit test and simulation passes'
	[ $passed -eq 0 ] || tail -n 100 "$dir/prove" | sed 's/^/# /'
fi
done_testing
