#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# seeds.sh TARGET DIR: the inputs that fuzzing TARGET starts from, as files in DIR: what is in tests/data and examples,
# and the small ones of tests/fuzz/corpus. Run from the top of the source tree.
set -eu
target=$1
to=$2
mkdir -p "$to"

# take FILE...: as seeds; the name of the directory keeps files of several kernels apart
take() {
	for f; do
		[ ! -f "$f" ] || cp "$f" "$to/$(basename "$(dirname "$f")")-$(basename "$f")"
	done
}

# frames FILE...: each line of a file is the JSON of a frame; "JSON PAYLOAD-IN-HEX" has a payload too
frames() {
	for f; do
		perl -MCompress::Raw::Zlib=crc32 -ne '
			my ($json, $hex) = /^(\{.*\})\s*([0-9a-f]*)$/ or die "no frame: $_";
			my $payload = pack "H*", $hex;
			my $sizes = pack "V2", length $json, length $payload;
			print "SWC1", $sizes, pack("V", crc32($sizes . $json . $payload)), $json, $payload' \
			"$f" > "$to/$(basename "$f")"
	done
}

# lines FILE...: each line is a seed
lines() {
	for f; do
		split -l 1 -a 3 "$f" "$to/$(basename "$f")-"
	done
}

# runs FILE...: each line of a file is a page run, six numbers: address entry flags mapcount pages step
runs() {
	for f; do
		perl -ne '
			next if /^#/;
			my @n = map { /^0x/ ? hex : $_ } split;
			print pack "Q<3 L< S< s<", @n' "$f" > "$to/$(basename "$f")"
	done
}

# metrics FILE...: as the metric m
metrics() {
	for f; do
		sed 's/^-- name:.*/-- name: m/' "$f" > "$to/$(basename "$f")"
	done
}

corpus=tests/fuzz/corpus/$target
case $target in
smaps) take tests/data/*/smaps tests/data/*/smaps_rollup tests/data/*/status $corpus/* ;;
vmstat)
	for f in tests/data/*/*; do
		case $f in */smaps* | */pagemap* | */kpage*) ;; *) take "$f" ;; esac
	done
	take $corpus/*
	;;
frame) frames $corpus/* ;;
agent) lines $corpus/* ;;
pairs) take examples/*.csv $corpus/* ;;
plan) take examples/*.yaml $corpus/* ;;
recipe) take vm-images/*.yaml $corpus/* ;;
pagemap) runs $corpus/* ;;
locality)
	# A text of mappings, and runs that go with none of them, or with those of the same name.
	runs tests/fuzz/corpus/pagemap/* $corpus/*.runs
	for f in "$to"/*; do
		text=$corpus/$(basename "$f" .runs).smaps
		[ -f "$text" ] || text=tests/data/linux-6.1/smaps
		{ cat "$text"; printf '\000'; cat "$f"; } > "$f.seed"
		rm "$f"
	done
	;;
metric) metrics calibrate/metrics/*.sql $corpus/* ;;
*) take $corpus/* ;;
esac
