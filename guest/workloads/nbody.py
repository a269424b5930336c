#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A speed benchmark whose memory stays small: the planets' motion under gravity, in floats.

The size of the data is what it is, and so there is no mode grow. A round is so many steps of time.
"""

from swapcal_workload import Workload, run

STEPS = 2000
DAYS_PER_STEP = 0.5

# Gravitational constant, in astronomical units, days and masses of the sun.
GRAVITY = 2.9591220828e-4

# Mass, position, velocity: rough values, on circles around the sun.
PLANETS = (
    (1.0, 0.0, 0.0),
    (9.5e-4, 5.2, 0.00755),
    (2.9e-4, 9.5, 0.00558),
    (4.4e-5, 19.2, 0.00393),
    (5.2e-5, 30.1, 0.00314),
)


class Body(object):
    def __init__(self, mass, distance, speed):
        self.mass = mass
        self.position = [distance, 0.0, 0.01 * distance]
        self.velocity = [0.0, speed, 0.0]


def attract(a, b, days):
    between = [p - q for p, q in zip(a.position, b.position)]
    square = sum(d * d for d in between)
    pull = GRAVITY * days / (square * square ** 0.5)
    for axis, distance in enumerate(between):
        a.velocity[axis] -= distance * pull * b.mass
        b.velocity[axis] += distance * pull * a.mass


def advance(bodies, days):
    for number, body in enumerate(bodies):
        for other in bodies[number + 1:]:
            attract(body, other, days)
    for body in bodies:
        body.position = [p + days * v for p, v in zip(body.position, body.velocity)]


class NBody(Workload):
    modes = ("hold",)

    def build(self, payload):
        return [Body(*planet) for planet in PLANETS]

    def work(self, parts):
        for _ in range(STEPS):
            advance(parts[0], DAYS_PER_STEP)


if __name__ == "__main__":
    run(NBody, __doc__)
