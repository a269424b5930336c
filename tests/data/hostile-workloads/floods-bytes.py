# Writes to its checkpoint fd without end, and never ends a line.
import os
import time

end = time.monotonic() + 20
while time.monotonic() < end:
    os.write(int(os.environ["SWAPCAL_CHECKPOINT_FD"]), b"x" * 65536)
