#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small tuples in tuples, as in tables that are kept by columns or keys of several words."""

from swapcal_workload import Workload, run


class Tuples(Workload):
    item_bytes = 400

    def make(self):
        number = self.rng.getrandbits(40)
        return (number, self.rng.random(), (str(number), None, (number + 1, -1.5 * number)))

    def use(self, item):
        number, share, (name, nothing, rest) = item
        return number * share + len(name) + rest[0]


if __name__ == "__main__":
    run(Tuples, __doc__)
