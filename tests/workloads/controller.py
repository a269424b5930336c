# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives a workload as a guest's agent does, without a guest, and tells what it sees.

    controller.py [--answer NAME=WORD]... [--kill NAME=WHICH]... [--leave NAME] [--look PATTERN] -- COMMAND...

Prints a line for each checkpoint, then the status of the load and what is left of its processes:

    NAME processes=N idle=yes|no private_kib=N shared_kib=N key=value...
    exit=N left=N

idle: nobody of the load used the processor while its checkpoint was not answered, in one of several looks. private_kib and shared_kib are
dirty pages, summed over all. Each --answer is given once, at the first report of its checkpoint that is left; all
others are "go". --kill ends a process at a checkpoint that is not answered: WHICH is 0 for the one that was started,
1 for its first child, ... --leave ends the conversation. Where no --look matches the name, processes are
not looked at, which takes time. What breaks the protocol is printed as "bad: WHAT".
"""

import os
import re
import signal
import subprocess
import sys
import time

LINE = re.compile(r"checkpoint ([a-z]+(?:-[0-9]+)?)((?: [a-z0-9_]+=[0-9]+(?:,[0-9]+,[0-9]+)?)*)$")
# The agent takes 200 bytes with the newline.
LINE_MAX = 199
# Long enough for a process that is not blocked to use a tick of 10 ms.
IDLE_S = 0.02
IDLE_LOOKS = 5000
DEADLINE_S = 1200


def stat_of(pid):
    """Fields of /proc/PID/stat after the name, or None when it is gone or dead."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields


def family_of(pid):
    """The process and its descendants, in the order of their numbers."""
    parents = {}
    for name in os.listdir("/proc"):
        fields = stat_of(int(name)) if name.isdigit() else None
        if fields:
            parents.setdefault(int(fields[1]), []).append(int(name))
    family = [pid]
    for member in family:
        family += sorted(parents.get(member, []))
    return family


def cpu_ticks(pids):
    stats = [stat_of(pid) for pid in pids]
    return [None if s is None else int(s[11]) + int(s[12]) for s in stats]


def dirty_kib(pids):
    sums = {"Private_Dirty:": 0, "Shared_Dirty:": 0}
    for pid in pids:
        with open("/proc/%d/smaps_rollup" % pid) as f:
            for line in f:
                words = line.split()
                if words[0] in sums:
                    sums[words[0]] += int(words[1])
    return sums["Private_Dirty:"], sums["Shared_Dirty:"]


def pairs(words, option):
    return [value.split("=", 1) for key, value in zip(words, words[1:]) if key == option]


def take(todo, name):
    """What is to be done at this checkpoint, once."""
    for i, (where, what) in enumerate(todo):
        if where == name:
            del todo[i]
            return what
    return None


def start(command):
    theirs, ours = os.pipe(), os.pipe()
    # As in a guest: 3 to report, 4 for answers.
    env = dict(os.environ, SWAPCAL_CHECKPOINT_FD=str(theirs[1]), SWAPCAL_RESUME_FD=str(ours[0]))
    load = subprocess.Popen(command, env=env, pass_fds=(theirs[1], ours[0]))
    os.close(theirs[1])
    os.close(ours[0])
    return load, os.fdopen(theirs[0]), ours[1]


def tell(load, name, facts, look):
    """Prints the line of a checkpoint. Returns the load's processes, those that were looked at."""
    if not re.match(look, name):
        print(name + facts, flush=True)
        return [load.pid]
    # On a busy machine who has written the line may take a while to get to its wait.
    for _ in range(IDLE_LOOKS):
        family = family_of(load.pid)
        before = cpu_ticks(family)
        time.sleep(IDLE_S)
        idle = "yes" if cpu_ticks(family) == before and family_of(load.pid) == family else "no"
        if idle == "yes":
            break
    print("%s processes=%d idle=%s private_kib=%d shared_kib=%d%s"
          % ((name, len(family), idle) + dirty_kib(family) + (facts,)), flush=True)
    return family


def main():
    split = sys.argv.index("--")
    words, command = sys.argv[1:split], sys.argv[split + 1:]
    answers, kills = pairs(words, "--answer"), pairs(words, "--kill")
    leave = dict(zip(words, words[1:])).get("--leave")
    look = dict(zip(words, words[1:])).get("--look", "")
    signal.alarm(DEADLINE_S)
    load, reports, answer_to = start(command)
    seen = [load.pid]
    for line in reports:
        match = LINE.match(line.rstrip("\n"))
        if not match or len(line) > LINE_MAX + 1:
            print("bad: %r" % line)
            break
        family = tell(load, match.group(1), match.group(2), look)
        seen += [pid for pid in family if pid not in seen]
        which = take(kills, match.group(1))
        if which:
            # Not answered: who sees it must see it while it waits.
            os.kill(family[int(which)], signal.SIGKILL)
        elif match.group(1) == leave:
            break
        else:
            os.write(answer_to, ((take(answers, match.group(1)) or "go") + "\n").encode())
    os.close(answer_to)
    reports.close()
    status = load.wait()
    # Children that must end need a moment to see that they are alone.
    for _ in range(50 * DEADLINE_S):
        left = [pid for pid in seen if stat_of(pid)]
        if not left:
            break
        time.sleep(0.02)
    print("exit=%d left=%d" % (status, len(left)))


main()
