# SPDX-License-Identifier: GPL-3.0-or-later
"""A family: a process and the children it forked, which wait for one another at each checkpoint.

The parent alone speaks with the host. Each child has two pipes of its own: it says on one that it has
arrived, with its facts, and waits for a line on the other.
"""

import os
import sys

import swapcal_checkpoint


class Child(object):
    def __init__(self, pid, arrivals, orders):
        self.pid = pid
        self.arrivals = arrivals
        self.orders = orders
        self.facts = None  # those it arrived with; None while it is on its way


class Family(object):
    def __init__(self):
        self.children = []
        self.number = 0      # of this process: the parent is 0, its children 1, 2, ...
        self.parent = None   # of a child: the descriptors to and from its parent

    def fork(self):
        """Forks one more child. True in the child."""
        arrivals, arrive = os.pipe()
        order, orders = os.pipe()
        pid = os.fork()
        if pid:
            os.close(arrive)
            os.close(order)
            self.children.append(Child(pid, arrivals, orders))
            return False
        # No end of another's pipe may stay open here: nobody would see that other's death.
        for descriptor in [arrivals, orders] + [d for c in self.children for d in (c.arrivals, c.orders)]:
            os.close(descriptor)
        swapcal_checkpoint.leave()
        self.number = len(self.children) + 1
        self.children = []
        self.parent = (arrive, order)
        return True

    def checkpoint(self, name, facts):
        """Waits until all have arrived. Returns the answer; a child is not told before its parent goes on."""
        if self.parent:
            return self._wait_for_parent(facts)
        for child in self.children:
            if child.facts is None:
                child.facts = swapcal_checkpoint.read_line(child.arrivals)
            if child.facts is None:
                self._lost(child)
        all_facts = [facts] + [child.facts for child in self.children]
        return swapcal_checkpoint.checkpoint(name, merge(all_facts), self._wait_for_host)

    def go_on(self):
        """Of the parent: lets the children go on."""
        for child in self.children:
            child.facts = None
            try:
                swapcal_checkpoint.write_line(child.orders, "go")
            except OSError:
                self._lost(child)

    def wait_for_end(self):
        """Of the parent: children end by themselves, after as many rounds."""
        for child in self.children:
            if os.waitpid(child.pid, 0)[1]:
                raise SystemExit("process %d of the family failed" % child.pid)

    def _wait_for_parent(self, facts):
        try:
            swapcal_checkpoint.write_line(self.parent[0], facts)
            line = swapcal_checkpoint.read_line(self.parent[1])
        except OSError:
            line = None
        if line is None:
            os._exit(1)
        return line

    def _wait_for_host(self, descriptor):
        """While all wait, a child has nothing to say but its death."""
        if not self.children:
            return
        from select import select
        readable = select([descriptor] + [child.arrivals for child in self.children], [], [])[0]
        for child in self.children:
            if child.arrivals in readable:
                self._lost(child)

    def _lost(self, child):
        status = os.waitpid(child.pid, 0)[1]
        how = "signal %d" % (status & 127) if status & 127 else "status %d" % (status >> 8)
        sys.stderr.write("process %d of the family ended: %s\n" % (child.pid, how))
        # The rest of the family ends when its pipes do.
        os._exit(1)


def merge(all_facts):
    """Facts of several processes as one's: numbers are added, but the longest pause is the longest of all."""
    merged = {}
    for word in " ".join(all_facts).split():
        key, value = word.split("=")
        numbers = [int(number) for number in value.split(",")]
        if key in merged:
            old = merged[key]
            numbers = [a + b for a, b in zip(old, numbers[:2])] + [max(pair) for pair in zip(old[2:], numbers[2:])]
        merged[key] = numbers
    return " ".join("%s=%s" % (key, ",".join(map(str, merged[key]))) for key in sorted(merged))
