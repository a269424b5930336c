# SPDX-License-Identifier: GPL-3.0-or-later
# For compilation tests: builds of their own, which do not touch ./swapcal or what `make` builds.
. tests/lib.sh
