# Closes all its descriptors at its first checkpoint, then takes memory.
import os

from swapcal_checkpoint import checkpoint

checkpoint("closing")
os.closerange(0, 1024)
blocks = []
while True:
    blocks.append(b"\x55" * (1 << 16))
