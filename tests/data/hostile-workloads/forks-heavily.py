# Forks without end; each child has memory of its own, so that the guest swaps before it has too many processes.
import os
import time

while True:
    if os.fork() == 0:
        mine = b"\x55" * (1 << 18)
        time.sleep(1000)
