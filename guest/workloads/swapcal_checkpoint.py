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


def checkpoint(name):
    """Reports the checkpoint and waits for the line that answers it, which is returned."""
    if _OUT is not None:
        os.write(_OUT, ("checkpoint %s\n" % name).encode("ascii"))
    if _OUT is None or _IN is None:
        return ""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(_IN, 1)
        if not piece:
            raise SystemExit("nobody is left to answer checkpoint '%s'" % name)
        line += piece
    return line[:-1].decode("utf-8", "replace")
