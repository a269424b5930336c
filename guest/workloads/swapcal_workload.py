# SPDX-License-Identifier: GPL-3.0-or-later
"""What the workloads share: options, the order of building and working, and the checkpoints between.

A script has a class derived from Workload that says what its objects are, and calls run() with it.
swapcal-plan(5) describes options and checkpoints.

Nothing is imported here that an interpreter does not have in it or that is not small: argparse alone
would add 1.3 MiB to CPython and 6 MiB to PyPy.
"""

import os
import random
import sys

import swapcal_family
import swapcal_pauses

# Exit status of what this interpreter, or this mode, cannot have.
NOT_APPLICABLE = 77

# In mode hold the data is built in so many steps, half of them before the fork.
BUILD_STEPS = 8

# A round of work replaces one in so many objects.
REPLACED_ONE_IN = 10


class Options(object):
    """Of the command line; the values here are the defaults."""
    mode = "grow"
    size_kib = 8192
    step_kib = 1024
    seed = 1
    processes = 1
    rounds = 0


HELP = """options:
  --mode grow|hold  grow for ever, or build the data once and work on it (default grow)
  --size-kib N      data of one process; of it half is shared with those forked (default 8192)
  --step-kib N      what each step of mode grow adds (default 1024)
  --seed N          of the content (default 1)
  --processes N     this process and N - 1 forked from it (default 1)
  --rounds N        end after so many rounds or steps; 0: never (default)
"""

MINIMUM = {"size_kib": 1, "step_kib": 1, "seed": 0, "processes": 1, "rounds": 0}


def unsupported(why):
    """Ends the program: this cannot be had here, which is no failure."""
    sys.stderr.write(why + "\n")
    sys.exit(NOT_APPLICABLE)


def _usage_error(what):
    sys.stderr.write("%s: %s (--help shows what there is)\n" % (os.path.basename(sys.argv[0]), what))
    sys.exit(2)


def _set_option(options, name, value):
    key = name[2:].replace("-", "_")
    if not name.startswith("--") or (key != "mode" and key not in MINIMUM):
        _usage_error("unknown argument '%s'" % name)
    if value is None:
        _usage_error("%s needs a value" % name)
    if key == "mode":
        if value not in ("grow", "hold"):
            _usage_error("--mode is grow or hold, not '%s'" % value)
    elif not value.isdigit() or int(value) < MINIMUM[key]:
        _usage_error("%s needs a number from %d, not '%s'" % (name, MINIMUM[key], value))
    else:
        value = int(value)
    setattr(options, key, value)


def parse_options(words, about=None):
    """Of the words of a command line, each option being `--name value` or `--name=value`."""
    options = Options()
    words = iter(words)
    for word in words:
        if word in ("-h", "--help"):
            sys.stdout.write("%s\n\n%s" % (about or "", HELP))
            sys.exit(0)
        name, equals, value = word.partition("=")
        _set_option(options, name, value if equals else next(words, None))
    return options


class Workload(object):
    """What a script derives its own from.

    The usual one defines make() and use(), and item_bytes or payload_of(): its data is a list of such items
    for each part that is built. One whose data has another form defines build() and work().
    """

    modes = ("grow", "hold")
    can_fork = True

    # Payload of an item where all are alike: roughly what it takes in CPython 3.
    item_bytes = None

    def __init__(self, options):
        self.options = options
        self.rng = random.Random(options.seed)

    def prepare(self):
        """Set-up before any data is built; unsupported() may be called here."""

    def make(self):
        """A new item."""
        raise NotImplementedError

    def use(self, item):
        """Reads all of an item."""
        raise NotImplementedError

    def payload_of(self, item):
        return self.item_bytes

    def build(self, payload):
        """A part of the data with so many bytes of payload."""
        part = []
        while payload > 0:
            item = self.make()
            part.append(item)
            payload -= self.payload_of(item)
        return part

    def work(self, parts):
        """A round of work at constant size: over all parts, replacing some of what they have."""
        for part in parts:
            for item in part:
                self.use(item)
            for index in range(self.rng.randrange(REPLACED_ONE_IN), len(part), REPLACED_ONE_IN):
                part[index] = self.make()

    def after_step(self, parts, payload):
        """In mode grow, after a step that added so much payload."""


class Process(object):
    """One process of the load: what it has built and how far it is."""

    def __init__(self, workload):
        self.workload = workload
        self.options = workload.options
        self.family = swapcal_family.Family()
        self.shared = []  # built in set-up, before the fork
        self.own = []
        self.first_round = 1
        self.to_fork = self.options.processes - 1

    def run(self):
        self.set_up()
        while self.to_fork > 0:
            self.to_fork -= 1
            self.fork(None)
        self.live(None)
        self.family.wait_for_end()

    def set_up(self):
        size = self.options.size_kib * 1024
        self.workload.prepare()
        if self.options.mode == "grow":
            self.shared.append(self.workload.build(size))
            return
        for number in range(1, BUILD_STEPS // 2 + 1):
            self.shared.append(self.workload.build(size // BUILD_STEPS))
            while self.family.checkpoint("build-%d" % number, self.facts()) == "fork":
                self.to_fork += 1

    def fork(self, reached):
        """Forks a child that makes data of its own and goes on from the checkpoint its parent has reached."""
        if not self.family.fork():
            return
        status = 1
        try:
            swapcal_pauses.reset()
            del self.own[:]
            self.workload.rng.seed(self.options.seed * 65537 + self.family.number)
            self.live(reached)
            status = 0
        except KeyboardInterrupt:
            pass
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            # Not the parent's way out, and without taking the data apart.
            os._exit(status)

    def live(self, reached):
        """All after the fork. A checkpoint before the one that was reached is worked towards, but passed."""
        # Not every round again: one touches what a round touches.
        if reached and reached.startswith("round-"):
            self.first_round = int(reached[6:])
        for name in self.grow() if self.options.mode == "grow" else self.hold():
            if reached in (None, name):
                reached = None
                self.arrive(name)

    def arrive(self, name):
        while self.family.checkpoint(name, self.facts()) == "fork":
            self.fork(name)
        self.family.go_on()

    def numbers(self, first):
        """From the first to the last round or step, if there is a last one."""
        number = first
        while self.options.rounds == 0 or number <= self.options.rounds:
            yield number
            number += 1

    def hold(self):
        for number in range(BUILD_STEPS // 2 + 1, BUILD_STEPS + 1):
            self.own.append(self.workload.build(self.options.size_kib * 1024 // BUILD_STEPS))
            yield "build-%d" % number
        yield "full"
        for number in self.numbers(self.first_round):
            self.workload.work(self.shared + self.own)
            yield "round-%d" % number

    def grow(self):
        payload = self.options.step_kib * 1024
        for number in self.numbers(1):
            self.own.append(self.workload.build(payload))
            self.workload.after_step(self.shared + self.own, payload)
            yield "step-%d" % number

    def facts(self):
        user, system = os.times()[:2]
        return "cpu_ms=%d %s" % ((user + system) * 1000, swapcal_pauses.facts())


def run(workload_class, about=None):
    """The main program of a script: about is its docstring."""
    options = parse_options(sys.argv[1:], about)
    if options.mode not in workload_class.modes:
        unsupported("this workload has no mode %s" % options.mode)
    if options.processes > 1 and not workload_class.can_fork:
        unsupported("this workload is one process")
    swapcal_pauses.watch()
    try:
        Process(workload_class(options)).run()
    except KeyboardInterrupt:
        sys.exit(130)
