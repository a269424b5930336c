#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of numbers, of 4 to 64 items."""

from swapcal_workload import Workload, run


class Lists(Workload):
    def make(self):
        number = self.rng.random()
        return [number + n for n in range(4 + int(number * 61))]

    def payload_of(self, item):
        # The list, with room to grow as it was made, and for each item a float and the reference to it.
        return 56 + 41 * len(item)

    def use(self, item):
        return sum(item)


if __name__ == "__main__":
    run(Lists, __doc__)
