#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects are made all the time as in churn, with a burst once in a while.

A round replaces a quarter of the objects; each eighth, the first included, also makes half as many as there are
in a burst and lets go of them.
"""

from swapcal_patterns import Patterns
from swapcal_workload import run

ROUNDS_PER_BURST = 8


class Mixed(Patterns):
    def __init__(self, options):
        Patterns.__init__(self, options)
        self.to_burst = 0

    def work_on(self, parts, replaced, burst):
        self.replace(parts, replaced)
        if self.to_burst == 0:
            self.burst(burst)
            self.to_burst = ROUNDS_PER_BURST
        self.to_burst -= 1

    def work(self, parts):
        live = self.live_bytes(parts)
        self.work_on(parts, live // 4, live // 2)

    def after_step(self, parts, payload):
        self.work_on(parts, payload, 8 * payload)


if __name__ == "__main__":
    run(Mixed, __doc__)
