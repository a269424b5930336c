#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application in Python alone: sympy expands powers of polynomials, and the results are kept.

Its own cache of results grows as well, up to its limit. How many results there are depends on the size; how
large they are in memory is a rough guess.
"""

from swapcal_workload import Workload, run, unsupported


class SympyExpand(Workload):
    # What a term takes in CPython 3, without what the cache keeps of it.
    TERM_BYTES = 1100

    def prepare(self):
        try:
            import sympy
        except ImportError as error:
            unsupported("sympy cannot be imported: %s" % error)
        self.expand = sympy.expand
        self.symbols = sympy.symbols("x y z")

    def make(self):
        x, y, z = self.symbols
        a, b, c = (self.rng.randint(2, 10 ** 6) for _ in range(3))
        return self.expand((a * x + b * y + c * z + 1) ** 5)

    def payload_of(self, item):
        return len(item.args) * self.TERM_BYTES

    def use(self, item):
        # Not a method of the terms: those take longer than it took to make them.
        return sum(len(term.args) for term in item.args) + hash(item)


if __name__ == "__main__":
    run(SympyExpand, __doc__)
