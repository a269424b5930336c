# SPDX-License-Identifier: GPL-3.0-or-later
# For tests of workloads: those of the source tree, under the interpreters that this machine has.
. tests/lib.sh

# A .pyc beside the workloads would become part of an image.
export PYTHONDONTWRITEBYTECODE=1

# PyPy takes the size of its nursery from the processor's cache: with a large one a small load never needs a collection.
export PYPY_GC_NURSERY=1M

# Debian's, not one that comes first in PATH: it is the one with sympy and lxml.
python=/usr/bin/python3
workloads=guest/workloads

# pythons: the Pythons that are here. Debian 12 and 13 have no Python 2: put one of Debian 11 in PATH as python2.7.
pythons() {
	for name in $python pypy3 python2.7; do
		"$name" -c '' > /dev/null 2>&1 && echo "$name"
	done
}

# scripts: names of all workloads in Python
scripts() {
	ls $workloads | sed -n '/^swapcal_/d; s/\.py$//p'
}

# control OPTION... -- COMMAND...: see controller.py; what the load prints goes to $dir/err
control() {
	$python tests/workloads/controller.py "$@" 2> "$dir/err"
}

# script NAME: the path of a workload's script
script() {
	echo "$workloads/$1.py"
}

# names: of the checkpoints in what control() printed, in one line, with the last line's exit status
names() {
	sed 's/^exit=\([0-9-]*\) .*/exit=\1/; s/ .*//' | tr '\n' ' ' | sed 's/ $//'
}

# of KEY NAME: values of a key at checkpoints of that name, a pattern, from $dir/out, in one line
of() {
	sed -n "s/^$2 .*\\<$1=\\([^ ]*\\).*/\\1/p" "$dir/out" | tr '\n' ' ' | sed 's/ $//'
}

# skip TEXT
skip() {
	count=$((count + 1))
	echo "ok $count # SKIP $1"
}
