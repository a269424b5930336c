# Closes all its descriptors, then takes memory.
import os

os.closerange(0, 1024)
blocks = []
while True:
    blocks.append(b"\x55" * (1 << 16))
