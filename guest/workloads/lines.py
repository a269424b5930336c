#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of files, read and kept.

The files are the sources of the interpreter's library, some 10 MiB that every image with it has, one after the
other and over again. Their page cache is in use as well.
"""

import os

from swapcal_workload import Workload, run, unsupported

# Python 2 reads bytes; the locale of Python 3 may be one that cannot read all sources.
OPEN_OPTIONS = {} if str is bytes else {"encoding": "utf-8", "errors": "replace"}


def source_files():
    library = os.path.dirname(os.__file__)
    return [os.path.join(library, name) for name in sorted(os.listdir(library)) if name.endswith(".py")]


def all_lines(files):
    while True:
        for name in files:
            with open(name, **OPEN_OPTIONS) as source:
                for line in source:
                    yield line


class Lines(Workload):
    def prepare(self):
        files = source_files()
        if not files:
            unsupported("this interpreter has no sources of its library")
        self.lines = all_lines(files)

    def make(self):
        return next(self.lines)

    def payload_of(self, item):
        # With what a string and the reference to it take in CPython 3.
        return len(item) + 57

    def use(self, item):
        return item.count(" ")


if __name__ == "__main__":
    run(Lines, __doc__)
