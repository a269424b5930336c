# Locks all that it takes, so that nothing can be swapped out.
import ctypes

MCL_CURRENT, MCL_FUTURE = 1, 2
if ctypes.CDLL(None).mlockall(MCL_CURRENT | MCL_FUTURE) < 0:
    raise SystemExit("cannot lock memory")
blocks = []
while True:
    blocks.append(b"\x55" * (1 << 20))
