# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints: how a workload lets itself be measured at a known point.

A workload calls checkpoint("NAME") where its memory may be measured. With both descriptors in its
environment it goes on when a line comes on the second; with the first alone it does not wait; with none
it simply runs.
"""

import os


def _descriptor(name):
    value = os.environ.get(name, "")
    return int(value) if value else None


_OUT = _descriptor("SWAPCAL_CHECKPOINT_FD")
_IN = _descriptor("SWAPCAL_RESUME_FD")


def read_line(descriptor, wait=None):
    """The next line without its newline, or None at the end. Calls wait(descriptor) before it reads."""
    line = b""
    while not line.endswith(b"\n"):
        if wait is not None:
            wait(descriptor)
        # One byte at a time: there is no buffer that a fork could copy.
        piece = os.read(descriptor, 1)
        if not piece:
            return None
        line += piece
    return line[:-1].decode("utf-8", "replace")


def write_line(descriptor, line):
    os.write(descriptor, (line + "\n").encode("ascii"))


def checkpoint(name, facts="", wait=None):
    """Reports the checkpoint with its facts ("key=value key=value") and returns the line that answers it."""
    if _OUT is not None:
        write_line(_OUT, ("checkpoint %s %s" % (name, facts)).rstrip())
    if _OUT is None or _IN is None:
        return ""
    line = read_line(_IN, wait)
    if line is None:
        raise SystemExit("nobody is left to answer checkpoint '%s'" % name)
    return line


def leave():
    """For a child: its parent alone speaks with the host."""
    global _OUT, _IN
    for descriptor in (_OUT, _IN):
        if descriptor is not None:
            os.close(descriptor)
    _OUT = _IN = None
