#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances of an ordinary class, with a __dict__ each."""

from swapcal_workload import Workload, run


class Record(object):
    def __init__(self, number, weight):
        self.number = number
        self.weight = weight
        self.half = weight / 2
        self.next = None

    def total(self):
        return self.number + self.weight + self.half


class Instances(Workload):
    item_bytes = 210

    def make(self):
        return Record(self.rng.getrandbits(40), self.rng.random())

    def use(self, item):
        return item.total()


if __name__ == "__main__":
    run(Instances, __doc__)
