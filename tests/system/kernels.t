#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Guests of three kernels: their plan is listed before and after the images are there, and on each an interpreter grows until
# its guest swaps.
. tests/system/lib.sh

# Without any image there is nothing to be named, and all is listed all the same.
XDG_CACHE_HOME=$dir "$swapcal" run examples/kernels.yaml -n --accel tcg > "$dir/none"
is $? 0 'a plan is listed without its images'
is "$(grep -c '^- ' "$dir/none")" 39 'with all cells'
has "$dir/none" "image 'trixie' is not built" 'and what is missing is said'

for image in bullseye bookworm trixie; do
	build_image $image
done
"$swapcal" run examples/kernels.yaml -n --accel tcg > "$dir/all"
is "$(grep -c '^[0-9a-f]\{12\} ' "$dir/all")" 39 'with its images all cells have names'
for kernel in 5.10 6.1 6.12; do
	has "$dir/all" "256 MiB: strings on pypy3,.* kernel $kernel\.[0-9]" "there are cells of kernel $kernel"
done
is "$(grep -c 'not applicable: image .* has no .python2.7.' "$dir/all")" 8 'and Python 2 is not applicable in two of three'
has "$dir/all" '^about [0-9]+ probes; about .* min' 'with an estimate of the time'

# grows IMAGE INTERPRETER
grows() {
	build/tests/system/probe-command --image "$1" 128 "/usr/bin/$2" /usr/share/swapcal/workloads/strings.py --mode grow \
		--size-kib 1024 --step-kib 1024 --processes 1 > "$dir/probe" 2>&1
	sed 's/^/# /' "$dir/probe"
	has "$dir/probe" '^onset: $' "$1: $2 grows until the guest swaps"
}
grows bullseye python2.7
grows bookworm pypy3
grows trixie python3
done_testing
