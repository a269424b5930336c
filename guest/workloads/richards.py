#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A speed benchmark whose memory stays small: the tasks of a simulated operating system, after Martin Richards.

A worker sends packets to two handlers, which pass what is in them to a device each; an idle task interrupts. The
size of the data is what it is, and so there is no mode grow. A round is ten simulations.
"""

from swapcal_workload import Workload, run

IDLE, WORKER, HANDLER_A, HANDLER_B, DEVICE_A, DEVICE_B = range(6)
PLACES = 4
IDLE_TURNS = 1000
SIMULATIONS = 10

# Packets sent and tasks held, which all implementations have for so many turns.
EXPECTED = (2322, 928)


class Packet(object):
    def __init__(self, address, is_work):
        self.address = address
        self.is_work = is_work
        self.place = 0
        self.places = [0] * PLACES


class System(object):
    """The tasks by number, which is their priority too."""

    def __init__(self):
        self.sent = self.held = 0
        self.tasks = []
        for number, kind in enumerate((Idle, Worker, Handler, Handler, Device, Device)):
            self.tasks.append(kind(self, number))
        self.tasks[WORKER].packets += [Packet(WORKER, True) for _ in range(2)]
        for handler, device in ((HANDLER_A, DEVICE_A), (HANDLER_B, DEVICE_B)):
            self.tasks[handler].packets += [Packet(device, False) for _ in range(3)]

    def simulate(self):
        task = self.tasks[-1]
        while task:
            task = task.take_turn() if task.can_run() else task.below()


class Task(object):
    def __init__(self, system, number):
        self.system = system
        self.number = number
        self.packets = []
        self.is_held = False
        self.is_waiting = True

    def can_run(self):
        return not self.is_held and (not self.is_waiting or bool(self.packets))

    def below(self):
        return self.system.tasks[self.number - 1] if self.number else None

    def take_turn(self):
        """Runs, and returns the task that is next."""
        packet = None
        if self.is_waiting:
            self.is_waiting = False
            packet = self.packets.pop(0)
        return self.run(packet)

    def wait(self):
        self.is_waiting = True
        return self

    def hold(self):
        self.system.held += 1
        self.is_held = True
        return self.below()

    def release(self, number):
        other = self.system.tasks[number]
        other.is_held = False
        return max(self, other, key=lambda task: task.number)

    def send(self, packet):
        """To its address; the address becomes the sender's, for the answer."""
        other = self.system.tasks[packet.address]
        self.system.sent += 1
        packet.address = self.number
        other.packets.append(packet)
        return other if len(other.packets) == 1 and other.number > self.number else self


class Idle(Task):
    def __init__(self, system, number):
        Task.__init__(self, system, number)
        self.is_waiting = False
        self.turns = IDLE_TURNS
        self.bits = 1

    def run(self, packet):
        self.turns -= 1
        if self.turns == 0:
            return self.hold()
        is_odd = self.bits & 1
        self.bits >>= 1
        if is_odd:
            self.bits ^= 0xD008
        return self.release(DEVICE_B if is_odd else DEVICE_A)


class Worker(Task):
    letter = 0
    handler = HANDLER_A

    def run(self, packet):
        if packet is None:
            return self.wait()
        self.handler = HANDLER_A + HANDLER_B - self.handler
        packet.address = self.handler
        packet.place = 0
        for place in range(PLACES):
            self.letter = self.letter % 26 + 1
            packet.places[place] = self.letter
        return self.send(packet)


class Handler(Task):
    def __init__(self, system, number):
        Task.__init__(self, system, number)
        self.work = []
        self.to_device = []

    def run(self, packet):
        if packet is not None:
            (self.work if packet.is_work else self.to_device).append(packet)
        if self.work and self.work[0].place == PLACES:
            return self.send(self.work.pop(0))
        if self.work and self.to_device:
            work, letter = self.work[0], self.to_device.pop(0)
            letter.place = work.places[work.place]
            work.place += 1
            return self.send(letter)
        return self.wait()


class Device(Task):
    packet = None

    def run(self, packet):
        if packet is not None:
            self.packet = packet
            return self.hold()
        if self.packet is None:
            return self.wait()
        packet, self.packet = self.packet, None
        return self.send(packet)


class Richards(Workload):
    modes = ("hold",)

    def build(self, payload):
        return None

    def work(self, parts):
        for _ in range(SIMULATIONS):
            system = System()
            system.simulate()
            if (system.sent, system.held) != EXPECTED:
                raise SystemExit("wrong: %d packets sent, %d tasks held" % (system.sent, system.held))


if __name__ == "__main__":
    run(Richards, __doc__)
