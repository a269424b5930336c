#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many objects are made in a burst and thrown away, again and again.

A round makes half as many as there are beside them, and lets go of all these at once. In mode grow, each step
does so with four times what it adds.
"""

from swapcal_patterns import Patterns
from swapcal_workload import run


class Burst(Patterns):
    def work(self, parts):
        self.burst(self.live_bytes(parts) // 2)

    def after_step(self, parts, payload):
        self.burst(4 * payload)


if __name__ == "__main__":
    run(Burst, __doc__)
