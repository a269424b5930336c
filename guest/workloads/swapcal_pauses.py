# SPDX-License-Identifier: GPL-3.0-or-later
"""Pauses of the garbage collector, of each kind: how many, how long in all, and the longest.

CPython 3: gc0, gc1 and gc2, by generation. PyPy: gcminor, and gcstep for the steps of a major collection; and
how many major collections have ended, for between two of them its heap grows. Python 2 does not tell.
The hooks keep numbers only, for what they allocate is part of what is measured.
"""

import gc
import time

# Kind: [number, seconds, seconds of the longest].
_pauses = {}

# Major collections of a collector that lets garbage stand until the next one; None: there is no such thing.
_collections = None


def reset():
    """For a child, which has had none yet."""
    global _collections
    for pause in _pauses.values():
        pause[:] = [0, 0.0, 0.0]
    if _collections is not None:
        _collections = 0


def facts():
    """As in a checkpoint line: [collections=NUMBER], KIND=NUMBER,TOTAL_US,LONGEST_US, separated by blanks."""
    words = ["%s=%d,%d,%d" % (kind, pause[0], pause[1] * 1e6, pause[2] * 1e6)
             for kind, pause in sorted(_pauses.items())]
    if _collections is not None:
        words.insert(0, "collections=%d" % _collections)
    return " ".join(words)


def _add(pause, number, total, longest):
    pause[0] += number
    pause[1] += total
    if longest > pause[2]:
        pause[2] = longest


def _watch_cpython():
    clock = time.perf_counter
    generations = [_pauses.setdefault("gc%d" % generation, [0, 0.0, 0.0]) for generation in range(3)]
    start = [0.0]

    def callback(phase, info):
        if phase == "start":
            start[0] = clock()
        else:
            duration = clock() - start[0]
            _add(generations[info["generation"]], 1, duration, duration)

    gc.callbacks.append(callback)


def _watch_pypy():
    minor = _pauses.setdefault("gcminor", [0, 0.0, 0.0])
    step = _pauses.setdefault("gcstep", [0, 0.0, 0.0])

    # One call may be about several pauses: PyPy makes it when it is safe to.
    def on_gc_minor(stats):
        _add(minor, stats.count, stats.duration, stats.duration_max)

    def on_gc_collect_step(stats):
        _add(step, stats.count, stats.duration, stats.duration_max)

    def on_gc_collect(stats):
        global _collections
        _collections += stats.count

    global _collections
    _collections = 0
    gc.hooks.on_gc_collect = on_gc_collect
    gc.hooks.on_gc_minor = on_gc_minor
    gc.hooks.on_gc_collect_step = on_gc_collect_step


def watch():
    """Begins to count."""
    if hasattr(gc, "callbacks"):
        _watch_cpython()
    elif hasattr(gc, "hooks"):
        _watch_pypy()
