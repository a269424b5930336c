# SPDX-License-Identifier: GPL-3.0-or-later
# What the benchmarks share; sourced from the top of the tree.
B=${B:-build}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export SWAPCAL_DATADIR="$PWD"
./swapcal image build bookworm >&2

# median: of the numbers on stdin
median() {
	sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# ratio A B
ratio() {
	echo "$1 $2" | awk '{ printf "%.2f", $1 / $2 }'
}

# plan WORKLOADS FILE: growth of some workloads, one probe each, in a small guest
plan() {
	cat > "$2" <<-END
	name: bench
	image: bookworm
	guest: {ram_mib: [128], swap_mib: 512}
	method: [growth]
	replicates: 1
	loads:
	  - {workload: [$1], interpreter: [python3], processes: [1], launch: [independent], size: small}
	END
}

# known FILE: results of a guest whose Z* is known, with one grown workload. Kept in the build directory: a later benchmark asks only
# what a changed swapcal does not find there.
known() {
	plan strings "$dir/known.yaml"
	./swapcal run "$dir/known.yaml" -o "$B/tests/bench/known.swapcal" >&2
	cp "$B/tests/bench/known.swapcal" "$1"
}
