#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances of a class of the old style, which Python 2 has and Python 3 has not."""

import sys

from swapcal_workload import Workload, run, unsupported


class Record:
    def __init__(self, number, weight):
        self.number = number
        self.weight = weight
        self.half = weight / 2
        self.next = None

    def total(self):
        return self.number + self.weight + self.half


class OldStyle(Workload):
    item_bytes = 450

    def make(self):
        return Record(self.rng.getrandbits(40), self.rng.random())

    def use(self, item):
        return item.total()


if __name__ == "__main__":
    if sys.version_info[0] > 2:
        unsupported("Python 3 has no classes of the old style")
    run(OldStyle, __doc__)
