#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application with an extension in C: documents of lxml, whose trees libxml2 keeps outside of Python's heap."""

from swapcal_workload import Workload, run, unsupported

ENTRIES = 100


class LxmlTree(Workload):
    # What a document was seen to take with CPython 3.
    item_bytes = 700 * ENTRIES

    def prepare(self):
        try:
            from lxml import etree
        except ImportError as error:
            unsupported("lxml cannot be imported: %s" % error)
        self.etree = etree

    def make(self):
        root = self.etree.Element("entries")
        for number in range(ENTRIES):
            entry = self.etree.SubElement(root, "entry", id="%d" % number)
            self.etree.SubElement(entry, "price").text = "%.17f" % self.rng.random()
        return root

    def use(self, item):
        return sum(float(price.text) for price in item.iter("price"))


if __name__ == "__main__":
    run(LxmlTree, __doc__)
