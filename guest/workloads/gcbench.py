#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Binary trees that live long, and many that do not: the pattern of Boehm's and Ellis' GCBench.

A round makes trees of several depths, from the root down and from the leaves up, with as many nodes as live
long, and lets go of each at once. It also replaces a tenth of the trees that live long.
"""

from swapcal_workload import Workload, run

LONG_LIVED_DEPTH = 8
SHORT_LIVED_DEPTHS = (4, 6, 8, 10, 12)


class Node(object):
    def __init__(self, left=None, right=None):
        self.left = left
        self.right = right


def nodes_of(depth):
    return 2 ** (depth + 1) - 1


def tree_from_leaves(depth):
    if depth == 0:
        return Node()
    return Node(tree_from_leaves(depth - 1), tree_from_leaves(depth - 1))


def tree_from_root(depth):
    root = Node()
    level = [root]
    for _ in range(depth):
        for node in level:
            node.left, node.right = Node(), Node()
        level = [child for node in level for child in (node.left, node.right)]
    return root


def count(tree):
    return 1 if tree.left is None else 1 + count(tree.left) + count(tree.right)


class GCBench(Workload):
    item_bytes = 100 * nodes_of(LONG_LIVED_DEPTH)

    def make(self):
        return tree_from_leaves(LONG_LIVED_DEPTH)

    def use(self, item):
        return count(item)

    def make_short_lived(self, nodes):
        turn = 0
        while nodes > 0:
            depth = SHORT_LIVED_DEPTHS[turn % len(SHORT_LIVED_DEPTHS)]
            make = tree_from_root if turn % 2 else tree_from_leaves
            make(depth)
            nodes -= nodes_of(depth)
            turn += 1

    def work(self, parts):
        Workload.work(self, parts)
        self.make_short_lived(sum(len(part) for part in parts) * nodes_of(LONG_LIVED_DEPTH))

    def after_step(self, parts, payload):
        self.make_short_lived(4 * payload // 100)


if __name__ == "__main__":
    run(GCBench, __doc__)
