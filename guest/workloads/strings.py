#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grows a list of distinct strings, a step at a time, with a checkpoint after each step."""

import argparse
import binascii
import random

from swapcal_checkpoint import checkpoint

# Lengths of the strings: small beside a page, so that the heap is filled as programs fill it.
SHORTEST = 100
LONGEST = 1000


def make_string(rng):
    """A new string of random text: no other has its content, and little of it compresses."""
    length = rng.randint(SHORTEST, LONGEST)
    raw = rng.getrandbits(6 * length).to_bytes((6 * length + 7) // 8, "little")
    # One byte a character for CPython and PyPy alike; without the newline at the end.
    return binascii.b2a_base64(raw)[:length].decode("ascii")


def grow(strings, rng, payload_bytes):
    while payload_bytes > 0:
        strings.append(make_string(rng))
        payload_bytes -= len(strings[-1])


def positive(text):
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step-kib", type=positive, default=1024, metavar="N",
                        help="payload added in each step (default 1024)")
    parser.add_argument("--max-mib", type=int, default=0, metavar="N",
                        help="payload at which to end; 0: never (default)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the random text (default 1)")
    return parser.parse_args()


def main():
    args = parse_arguments()
    rng = random.Random(args.seed)
    strings = []
    step = 0
    while args.max_mib <= 0 or step * args.step_kib < args.max_mib * 1024:
        grow(strings, rng, args.step_kib * 1024)
        step += 1
        checkpoint("step-%d" % step)


if __name__ == "__main__":
    main()
