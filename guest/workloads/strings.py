#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distinct strings of random text, little of which compresses."""

import binascii

from swapcal_workload import Workload, run

# Lengths of the strings: small beside a page, so that the heap is filled as programs fill it.
SHORTEST = 100
LONGEST = 1000


def random_text(rng, length):
    """A string of base64 characters, one byte each in every interpreter."""
    raw_bytes = (6 * length + 7) // 8
    raw = binascii.unhexlify(("%0*x" % (2 * raw_bytes, rng.getrandbits(8 * raw_bytes))).encode("ascii"))
    text = binascii.b2a_base64(raw)[:length]
    return text if isinstance(text, str) else text.decode("ascii")


class Strings(Workload):
    def make(self):
        return random_text(self.rng, self.rng.randint(SHORTEST, LONGEST))

    def payload_of(self, item):
        return len(item)

    def use(self, item):
        return item.count("a")


if __name__ == "__main__":
    run(Strings, __doc__)
