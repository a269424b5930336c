# Tries what would end the guest, its agent, or the experiment. Says what worked; it should be nothing.
import ctypes
import os
import signal

libc = ctypes.CDLL(None, use_errno=True)
worked = []


def attempt(what, action):
    try:
        result = action()
    except OSError:
        return
    if result != -1:
        worked.append(what)


def write(path, text="1"):
    with open(path, "w") as f:
        f.write(text)


for sig in (signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV):
    attempt("signal %d to the agent" % sig, lambda: os.kill(1, sig))
attempt("/proc/sysrq-trigger", lambda: write("/proc/sysrq-trigger", "c"))
attempt("swappiness", lambda: write("/proc/sys/vm/swappiness", "0"))
attempt("drop_caches", lambda: write("/proc/sys/vm/drop_caches", "3"))
attempt("core_pattern", lambda: write("/proc/sys/kernel/core_pattern", "|/bin/sh"))
attempt("hugepages", lambda: write("/sys/kernel/mm/transparent_hugepage/enabled", "always"))
attempt("the agent's memory", lambda: open("/proc/1/mem", "r+b"))
attempt("the agent's descriptors", lambda: os.listdir("/proc/1/fd"))
attempt("oom_score_adj", lambda: write("/proc/self/oom_score_adj", "-1000"))
attempt("reboot", lambda: libc.reboot(0x01234567))
attempt("swapoff", lambda: libc.swapoff(b"/dev/vdb"))
attempt("mount", lambda: libc.mount(b"x", b"/mnt", b"tmpfs", 0, None))
attempt("umount", lambda: libc.umount2(b"/mnt", 2))
attempt("chroot", lambda: os.chroot("/tmp"))
attempt("setuid", lambda: os.setuid(0))
attempt("real time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)))
attempt("nice", lambda: os.nice(-5))
attempt("a disk", lambda: open("/dev/vda", "rb"))
attempt("the swap disk", lambda: open("/dev/vdb", "r+b"))
attempt("the agent's port", lambda: open("/dev/vport0p1", "r+b"))
attempt("the kernel's log", lambda: open("/dev/kmsg", "w"))
attempt("a file in the root", lambda: write("/etc/motd"))
attempt("a file among the workloads", lambda: write("/mnt/new"))
attempt("ptrace", lambda: libc.ptrace(16, 1, 0, 0))
print("worked:", ", ".join(worked) or "nothing")
raise SystemExit(len(worked) > 0)
