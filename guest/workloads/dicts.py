#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small dictionaries with the same few keys, as records of a table are."""

from swapcal_workload import Workload, run

KEYS = ("number", "name", "price", "count", "parent")


class Dicts(Workload):
    item_bytes = 400

    def make(self):
        number = self.rng.getrandbits(40)
        return dict(zip(KEYS, (number, "row %d" % number, self.rng.random(), number % 1000, None)))

    def use(self, item):
        return sum(len(key) for key, value in item.items() if value is not None)


if __name__ == "__main__":
    run(Dicts, __doc__)
