#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects are made all the time while their number stays the same.

A round makes as many as there are, each in the place of one taken at random. In mode grow, each step makes
four times as many as it adds.
"""

from swapcal_patterns import Patterns
from swapcal_workload import run


class Churn(Patterns):
    def work(self, parts):
        self.replace(parts, self.live_bytes(parts))

    def after_step(self, parts, payload):
        self.replace(parts, 4 * payload)


if __name__ == "__main__":
    run(Churn, __doc__)
