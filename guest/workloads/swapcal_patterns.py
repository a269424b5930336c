# SPDX-License-Identifier: GPL-3.0-or-later
"""What churn, burst and mixed have in common: objects of several kinds and sizes, short-lived ones."""

from swapcal_workload import Workload


class Node(object):
    def __init__(self, value):
        self.value = value
        self.links = None


class Patterns(Workload):
    # Of the four kinds that make() takes in turn, on average.
    item_bytes = 350

    def __init__(self, options):
        Workload.__init__(self, options)
        self.turn = 0

    def make(self):
        value = self.rng.random()
        self.turn = (self.turn + 1) % 4
        if self.turn == 0:
            return {"value": value, "text": "%.17f" % value}
        if self.turn == 1:
            return [value + n for n in range(int(value * 16))]
        if self.turn == 2:
            return (value, ("%.17f" % value) * int(1 + value * 20))
        return Node([value, -value])

    def use(self, item):
        return item is None

    def replace(self, parts, payload):
        """Makes so many bytes of objects, each in the place of one taken at random."""
        while payload > 0:
            part = parts[self.rng.randrange(len(parts))]
            part[self.rng.randrange(len(part))] = self.make()
            payload -= self.item_bytes

    def burst(self, payload):
        """Makes so many bytes of objects, and lets go of all of them at once."""
        del self.build(payload)[:]

    def live_bytes(self, parts):
        return self.item_bytes * sum(len(part) for part in parts)
