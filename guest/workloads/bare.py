#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interpreter alone: nothing is built, and nothing imported that it has not imported itself by then.

So this speaks with the host by hand. Forked children do nothing but wait for the end of their parent.
"""

import os
import sys


def option(name, default):
    words = sys.argv[1:]
    return words[words.index(name) + 1] if name in words else default


def descriptor(name):
    return int(os.environ.get(name) or -1)


OUT = descriptor("SWAPCAL_CHECKPOINT_FD")
IN = descriptor("SWAPCAL_RESUME_FD")
ALIVE = os.pipe()


def fork():
    if os.fork() == 0:
        for end in (ALIVE[1], OUT, IN):
            if end >= 0:
                os.close(end)
        os.read(ALIVE[0], 1)
        os._exit(1)


def check_children():
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except OSError:
        return
    if pid:
        sys.stderr.write("process %d of the family ended: wait status %d\n" % (pid, status))
        sys.exit(1)


def checkpoint(name):
    """The answer, "" where nobody answers."""
    check_children()
    cpu_ms = sum(os.times()[:2]) * 1000
    if OUT >= 0:
        os.write(OUT, ("checkpoint %s cpu_ms=%d\n" % (name, cpu_ms)).encode("ascii"))
    answer = b""
    while OUT >= 0 and IN >= 0 and not answer.endswith(b"\n"):
        piece = os.read(IN, 1)
        if not piece:
            sys.exit("nobody is left to answer checkpoint '%s'" % name)
        answer += piece
    return answer.strip().decode("ascii")


def main():
    rounds = int(option("--rounds", 0))
    to_fork = int(option("--processes", 1)) - 1
    if option("--mode", "grow") != "hold":
        sys.stderr.write("this workload has no mode grow\n")
        sys.exit(77)
    for number in range(1, 5):
        while checkpoint("build-%d" % number) == "fork":
            to_fork += 1
    for _ in range(to_fork):
        fork()
    number = 5
    while rounds == 0 or number <= 9 + rounds:
        name = "build-%d" % number if number <= 8 else "full" if number == 9 else "round-%d" % (number - 9)
        while checkpoint(name) == "fork":
            fork()
        number += 1


if __name__ == "__main__":
    main()
